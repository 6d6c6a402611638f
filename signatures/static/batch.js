// SPDX-License-Identifier: Apache-2.0
// How far a batch is, without loading the page again: numbers change where they stand. Whoever has no script follows a
// link for the same. Nothing is asked while the page is not looked at, and nothing any more once the batch has ended.

const PAUSE = 5000;
const shown = document.getElementById("far");
const ended = document.getElementById("ended");

async function look() {
  if (document.hidden) {
    return true;
  }
  const answer = await fetch(shown.dataset.at, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    return false;
  }
  const far = await answer.json();
  for (const name of ["made", "failed", "waiting"]) {
    document.getElementById(name).textContent = far[name];
  }
  document.getElementById("bar").value = far.made + far.failed;
  return far.moving;
}

async function again() {
  let moving = false;
  try {
    moving = await look();
  } catch {
    // The network is away: the numbers stay, and the link is there.
    return;
  }
  if (moving) {
    setTimeout(again, PAUSE);
  } else {
    ended.hidden = false;
  }
}

if (shown && shown.dataset.at) {
  setTimeout(again, PAUSE);
}
