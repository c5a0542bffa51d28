"""How far results may differ where they were made on different kinds of machine.

There training takes another path: the same accuracy, not the same bits.
"""

# Of an accuracy: half a percentage point.
ACCURACY = 0.005
# Of a weight, as a part of the largest one in its tensor: for what has no accuracy.
WEIGHT = 0.01
