// Asking the server.

const AWAY = "The server doesn’t answer. Start it again with `make demo`.";

/** Returns what an address of the server holds: an object, or its bytes. */
export async function read(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const isObject = answer.headers.get("Content-Type").startsWith("application/json");
  return isObject ? answer.json() : answer.arrayBuffer();
}

/**
 * Returns a function that asks what some ink is, or shows that there is none for null.
 *
 * While the server answers, only the newest ink waits: a slow server is never asked for what is past.
 * `show` takes the answer, `tell` what is wrong, and null when it no longer is.
 */
export function latestOnly(show, tell) {
  let waiting;
  let busy = false;

  async function work() {
    busy = true;
    while (waiting !== undefined) {
      const ink = waiting;
      waiting = undefined;
      try {
        const answer = ink && (await predict(ink));
        // What has been cleared meanwhile must not come back.
        if (waiting !== null) show(answer);
        tell(null);
      } catch (error) {
        tell(error.message);
      }
    }
    busy = false;
  }

  return (ink) => {
    waiting = ink;
    if (!busy) work();
  };
}

async function predict(ink) {
  const body = JSON.stringify({ ink: btoa(String.fromCharCode(...ink)) });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("predict", { method: "POST", headers, body }).catch(() => {
    throw new Error(AWAY);
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}
