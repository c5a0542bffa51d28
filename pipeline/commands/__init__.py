"""What people run by hand, besides the stages that DVC runs."""
