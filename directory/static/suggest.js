// SPDX-License-Identifier: Apache-2.0
// Offers people while a name is typed. Without this script the form searches when it is sent.
"use strict";

(() => {
  const field = document.querySelector("input[data-suggest]");
  if (!field) return;
  const offers = document.createElement("datalist");
  offers.id = "suggested";
  field.after(offers);
  field.setAttribute("list", offers.id);
  let waiting = 0;
  let asked = 0;

  const show = (found) => {
    offers.replaceChildren(
      ...found.map((each) => {
        const option = document.createElement("option");
        option.value = each.username;
        option.label = `${each.name} (${each.username})`;
        return option;
      }),
    );
  };

  const ask = async () => {
    const mine = ++asked;
    const address = `${field.dataset.suggest}?q=${encodeURIComponent(field.value.trim())}`;
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      const found = answer.ok ? await answer.json() : [];
      // A slow answer to what was typed before is passed over.
      if (mine === asked) show(found);
    } catch {
      if (mine === asked) show([]);
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 150);
  });
})();
