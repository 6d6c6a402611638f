// SPDX-License-Identifier: Apache-2.0
// The number at the counter, for as long as the gateway lets this visitor look.
"use strict";
const number = document.getElementById("serving");
const socket = new WebSocket(`wss://${window.location.host}/queue/live`);
socket.addEventListener("message", (event) => {
  const said = String(JSON.parse(event.data).serving);
  if (number.textContent !== said) number.textContent = said;
});
socket.addEventListener("close", () => {
  document.getElementById("ended").hidden = false;
});
