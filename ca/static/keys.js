// SPDX-License-Identifier: Apache-2.0
// A key for a certificate, made and kept in this browser. It leaves it in a PKCS #12 file (RFC 7292) alone, which its
// holder saves: until then it lies here encrypted under the holder's password (PBES2, RFC 8018), and nothing but the
// certificate request (RFC 2986) is sent. A copy of it, just as encrypted (PKCS #8, RFC 5958), can be saved at any time,
// so that whoever loses this browser's storage does not lose the key.

const ROUNDS = 210000;
const MAC_ROUNDS = 4096;
const KEPT = "tallygate-key-";

const OIDS = {
  aes256: [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a],
  sha256: [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
  hmac256: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09],
  pbkdf2: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c],
  pbes2: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d],
  ecdsa: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  data: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01],
  encrypted: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06],
  keyBag: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02],
  certBag: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03],
  x509: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01],
  localKey: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15],
};

// --- DER (X.690) ---

function joined(...parts) {
  const all = parts.map((part) => (part instanceof Uint8Array ? part : new Uint8Array(part)));
  const whole = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function der(tag, ...parts) {
  const content = joined(...parts);
  const length = [];
  for (let left = content.length; left > 0; left = Math.floor(left / 256)) length.unshift(left % 256);
  return joined([tag], content.length < 128 ? [content.length] : [0x80 | length.length, ...length], content);
}

const sequence = (...parts) => der(0x30, ...parts);
const set = (...parts) => der(0x31, ...parts);
const octets = (bytes) => der(0x04, bytes);
const oid = (name) => der(0x06, OIDS[name]);
const nothing = der(0x05);

function integer(number) {
  const bytes = number instanceof Uint8Array ? [...number] : [];
  if (!(number instanceof Uint8Array)) {
    for (let left = number; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  }
  while (bytes.length > 1 && bytes[0] === 0 && bytes[1] < 128) bytes.shift();
  return der(0x02, bytes.length === 0 || bytes[0] > 127 ? [0, ...bytes] : bytes);
}

// --- texts ---

const utf8 = (text) => new TextEncoder().encode(text);
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const unbase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const random = (length) => crypto.getRandomValues(new Uint8Array(length));

function pem(label, bytes) {
  return `-----BEGIN ${label}-----\n${base64(bytes).match(/.{1,64}/g).join("\n")}\n-----END ${label}-----\n`;
}

function unpem(text) {
  const found = text.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return Array.from(found, (match) => unbase64(match[1].replace(/\s/g, "")));
}

// What stands inside a constructed value: the contents of its parts, whose lengths must add up.
function inside(bytes) {
  const parts = [];
  let at = 0;
  while (at < bytes.length) {
    let length = bytes[at + 1];
    let start = at + 2;
    if (length > 127) {
      const count = length - 128;
      length = bytes.slice(start, start + count).reduce((sum, byte) => sum * 256 + byte, 0);
      start += count;
    }
    if (!(start + length <= bytes.length)) throw new Error("cut off");
    parts.push(bytes.slice(start, start + length));
    at = start + length;
  }
  return parts;
}

function contains(whole, part) {
  for (let at = 0; at + part.length <= whole.length; at += 1) {
    if (part.every((byte, place) => whole[at + place] === byte)) return true;
  }
  return false;
}

async function digest(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

// --- PBES2: PBKDF2 with HMAC-SHA-256, AES-256-CBC ---

async function cipher(password, salt, rounds) {
  const secret = await crypto.subtle.importKey("raw", utf8(password), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: rounds };
  return crypto.subtle.deriveKey(how, secret, { name: "AES-CBC", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function sealed(password, plain) {
  const salt = random(16);
  const iv = random(16);
  const key = await cipher(password, salt, ROUNDS);
  const bytes = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key, plain));
  const derivation = sequence(octets(salt), integer(ROUNDS), sequence(oid("hmac256"), nothing));
  const scheme = sequence(sequence(oid("pbkdf2"), derivation), sequence(oid("aes256"), octets(iv)));
  return { algorithm: sequence(oid("pbes2"), scheme), bytes, salt, iv };
}

// --- the request ---

async function request(pair, spki) {
  const body = sequence(integer(0), sequence(), spki, der(0xa0));
  const how = { name: "ECDSA", hash: "SHA-256" };
  const raw = new Uint8Array(await crypto.subtle.sign(how, pair.privateKey, body));
  const signature = sequence(integer(raw.slice(0, 32)), integer(raw.slice(32)));
  return sequence(body, sequence(oid("ecdsa")), der(0x03, [0], signature));
}

// Make a key; returns the request in PEM. Whoever reads this browser's storage finds the key under the password only.
async function make(password) {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const clear = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const kept = await sealed(password, clear);
  clear.fill(0);
  const shrouded = sequence(kept.algorithm, octets(kept.bytes));
  const entry = [shrouded, kept.bytes, kept.salt, kept.iv].map(base64).join(" ");
  localStorage.setItem(KEPT + hex(await digest(spki)), entry);
  return pem("CERTIFICATE REQUEST", await request(pair, spki));
}

// --- a copy of the key ---

const copied = (entry) => pem("ENCRYPTED PRIVATE KEY", unbase64(entry.split(" ")[0]));

// The entry that a copy was made of; throws if it is no copy that this script wrote.
function restored(text) {
  const found = /-----BEGIN ENCRYPTED PRIVATE KEY-----([^-]+)-----END ENCRYPTED PRIVATE KEY-----/.exec(text);
  const shrouded = unbase64(found[1].replace(/\s/g, ""));
  const [algorithm, bytes] = inside(inside(shrouded)[0]);
  const [, scheme] = inside(algorithm);
  const [derivation, encryption] = inside(scheme);
  const [salt] = inside(inside(derivation)[1]);
  const iv = inside(encryption)[1];
  if (salt.length !== 16 || iv.length !== 16) throw new Error("another kind of file");
  return [shrouded, bytes, salt, iv].map(base64).join(" ");
}

// Whether a private key (PKCS #8) is that of a certificate.
async function belongs(clear, certificate) {
  const key = await crypto.subtle.importKey("pkcs8", clear, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  const { x, y } = await crypto.subtle.exportKey("jwk", key);
  const plain = (text) => unbase64(text.replace(/-/g, "+").replace(/_/g, "/"));
  return contains(certificate, joined([4], plain(x), plain(y)));
}

function save(content, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

// --- PKCS #12 ---

// RFC 7292 appendix B.2, with SHA-256 and as much output as one hash gives; 3 stands for a key of a MAC.
async function macKey(password, salt) {
  const text = [...password, "\0"].flatMap((letter) => Array.from({ length: letter.length }, (_, at) => letter.charCodeAt(at)));
  const bmp = text.flatMap((unit) => [unit >> 8, unit & 255]);
  const filled = (bytes) => Array.from({ length: 64 * Math.ceil(bytes.length / 64) }, (_, at) => bytes[at % bytes.length]);
  let found = await digest(joined(new Uint8Array(64).fill(3), filled(salt), filled(bmp)));
  for (let round = 1; round < MAC_ROUNDS; round += 1) found = await digest(found);
  return found;
}

async function container(password, entry, certificates) {
  const [shrouded, bytes, salt, iv] = entry.split(" ").map(unbase64);
  // The right password opens the key; a wrong one would make a file that nobody could open.
  const clear = await crypto.subtle.decrypt({ name: "AES-CBC", iv }, await cipher(password, salt, ROUNDS), bytes);
  if (!(await belongs(clear, certificates[0]))) throw new Error("the key of another certificate");
  const mark = new Uint8Array(await crypto.subtle.digest("SHA-1", certificates[0]));
  const attributes = set(sequence(oid("localKey"), set(octets(mark))));
  const keys = sequence(sequence(oid("keyBag"), der(0xa0, shrouded), attributes));
  const bags = certificates.map((one, at) =>
    sequence(
      oid("certBag"),
      der(0xa0, sequence(oid("x509"), der(0xa0, octets(one)))),
      at === 0 ? attributes : [],
    ),
  );
  const hidden = await sealed(password, sequence(...bags));
  const content = sequence(oid("data"), hidden.algorithm, der(0x80, hidden.bytes));
  const safe = sequence(
    sequence(oid("encrypted"), der(0xa0, sequence(integer(0), content))),
    sequence(oid("data"), der(0xa0, octets(keys))),
  );
  const macSalt = random(16);
  const secret = await crypto.subtle.importKey(
    "raw",
    await macKey(password, macSalt),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", secret, safe));
  return sequence(
    integer(3),
    sequence(oid("data"), der(0xa0, octets(safe))),
    sequence(sequence(sequence(oid("sha256"), nothing), octets(mac)), octets(macSalt), integer(MAC_ROUNDS)),
  );
}

// --- the pages ---

function asking(part) {
  const form = part.closest("form");
  const [password, again] = part.querySelectorAll("input[type=password]");
  const state = part.querySelector("[role=status]");
  part.hidden = false;
  part.querySelector("button").addEventListener("click", async () => {
    if (password.value.length < 8 || password.value !== again.value) {
      state.textContent = part.dataset.unequal;
      password.focus();
      return;
    }
    state.textContent = part.dataset.working;
    form.elements.csr.value = await make(password.value);
    password.value = again.value = "";
    form.requestSubmit();
  });
}

function copying(part) {
  const entry = localStorage.getItem(KEPT + part.dataset.key);
  if (!entry) return;
  part.hidden = false;
  part.querySelector("button").addEventListener("click", () => {
    save(copied(entry), "application/x-pem-file", part.dataset.name);
  });
}

function keeping(part) {
  let entry = localStorage.getItem(KEPT + part.dataset.key);
  const copy = part.querySelector("input[type=file]");
  for (const each of part.querySelectorAll("[data-when]")) {
    each.hidden = (each.dataset.when === "here") !== Boolean(entry);
  }
  copy.required = !entry;
  const password = part.querySelector("input[type=password]");
  const state = part.querySelector("[role=status]");
  part.hidden = false;
  part.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    state.textContent = part.dataset.working;
    try {
      if (copy.files.length) entry = restored(await copy.files[0].text());
      const answer = await fetch(part.dataset.certificate);
      if (!answer.ok) throw new Error(answer.statusText);
      const file = await container(password.value, entry, unpem(await answer.text()));
      save(file, "application/x-pkcs12", part.dataset.name);
      state.textContent = part.dataset.done;
    } catch {
      state.textContent = part.dataset.wrong;
    }
    password.value = "";
  });
}

for (const part of document.querySelectorAll("[data-part=ask]")) asking(part);
for (const part of document.querySelectorAll("[data-part=copy]")) copying(part);
for (const part of document.querySelectorAll("[data-part=keep]")) keeping(part);
