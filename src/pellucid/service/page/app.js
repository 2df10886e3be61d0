// The page: asks the server for a preview once, then answers every control by itself.

import { mix } from "/page/light.js";
import { Region } from "/page/region.js";

const EXAMPLE = {
  transmission: "a living room with a lamp and an armchair",
  reflection: "houses, a tree and a car in the street",
};

const at = (id) => document.getElementById(id);
let photo = null; // the file as chosen
let shown = null; // ImageData of photo, transmission, reflection
const region = new Region(at("brushed"), at("brush-size"), () => redraw());

function choose(file) {
  photo = file;
  at("chosen").textContent = file ? file.name : "No photo chosen.";
}

function tell(text) {
  at("status").textContent = text;
}

function complain(text) {
  at("error").hidden = !text;
  at("error").textContent = text;
}

function form() {
  const data = new FormData();
  data.append("photo", photo, photo.name);
  data.append("transmission", at("transmission").value);
  data.append("reflection", at("reflection").value);
  return data;
}

async function post(path, data) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", body: data });
  } catch {
    throw new Error("The server does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => null);
  throw new Error(problem?.detail ?? `The server answered ${answer.status}.`);
}

/** Run one long task: buttons off, its errors shown kindly. */
async function busy(text, task) {
  const buttons = document.querySelectorAll("main button");
  buttons.forEach((button) => (button.disabled = true));
  complain("");
  tell(text);
  try {
    tell((await task()) ?? "");
  } catch (error) {
    tell("");
    complain(error.message);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

async function pixels(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function separate() {
  if (!photo) throw new Error("Choose a photo first.");
  const preview = await (await post("/api/preview", form())).json();
  const layers = ["photo", "transmission", "reflection"];
  const images = await Promise.all(layers.map((layer) => pixels(preview[layer])));
  shown = Object.fromEntries(layers.map((layer, index) => [layer, images[index]]));
  for (const canvas of [at("before"), at("after")]) {
    canvas.width = shown.photo.width;
    canvas.height = shown.photo.height;
  }
  at("before").getContext("2d").putImageData(shown.photo, 0, 0);
  region.reset(shown.photo.width, shown.photo.height);
  for (const layer of ["transmission", "reflection"]) {
    at(`${layer}-layer`).src = preview[layer];
    describe(layer, preview[`about_${layer}`]);
  }
  overlay(null);
  at("notes").replaceChildren(...preview.notes.map((note) => element("li", note)));
  at("result").hidden = false;
  redraw();
  return `Done: ${preview.size[0]} × ${preview.size[1]} pixels.`;
}

function element(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

/** Say what became of a description, and offer a button a word that shows where it acted. */
function describe(layer, about) {
  at(`about-${layer}`).textContent = about ? about.verdict : "Not described.";
  const chips = (about?.words ?? []).map((word) => {
    const chip = element("button", word.word);
    chip.type = "button";
    chip.setAttribute("aria-pressed", "false");
    chip.addEventListener("click", () => overlay(chip.ariaPressed === "true" ? null : chip, word.map));
    return chip;
  });
  at(`${layer}-words`).replaceChildren(...chips);
}

function overlay(chip, map) {
  document.querySelectorAll(".chips button").forEach((other) => {
    other.setAttribute("aria-pressed", String(other === chip));
  });
  at("overlay").hidden = !chip;
  if (!chip) return;
  at("overlay").src = map;
  at("overlay").alt = `Where the word ${chip.textContent} acted`;
  tell(`Bright where the word “${chip.textContent}” acted.`);
}

let waiting = 0;
function redraw() {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(draw);
}

function draw() {
  if (!shown) return;
  const strength = Number(at("strength").value);
  at("strength-value").textContent = strength;
  const layer = strength < 0 ? shown.reflection : shown.transmission;
  const context = at("after").getContext("2d");
  const target = context.createImageData(shown.photo.width, shown.photo.height);
  context.putImageData(mix(shown.photo, layer, Math.abs(strength) / 100, region.data(), target), 0, 0);
  const place = at("compare").value;
  at("after").style.clipPath = `inset(0 0 0 ${place}%)`;
  at("divider").style.left = `${place}%`;
}

async function download(wish) {
  const data = form();
  for (const [name, value] of Object.entries(wish)) data.append(name, value);
  data.append("keep_metadata", at("metadata").checked);
  const mask = await region.blob();
  if (mask) data.append("mask", mask, "mask.png");
  const archive = await (await post("/api/separate", data)).blob();
  const link = element("a", "");
  link.href = URL.createObjectURL(archive);
  link.download = `${photo.name.replace(/\.[^.]*$/, "")}.zip`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return `${link.download} is in your downloads.`;
}

at("file").addEventListener("change", (event) => choose(event.target.files[0] ?? null));
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  busy("Separating…", separate);
});
at("example").addEventListener("click", () =>
  busy("Separating the example…", async () => {
    const content = await (await fetch("/page/example.jpg")).blob();
    choose(new File([content], "example.jpg", { type: "image/jpeg" }));
    at("transmission").value = EXAMPLE.transmission;
    at("reflection").value = EXAMPLE.reflection;
    return separate();
  }),
);

for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) choose(event.dataTransfer.files[0]);
  });
}
for (const id of ["strength", "compare"]) at(id).addEventListener("input", redraw);
at("brush").addEventListener("change", (event) => {
  at("stage").classList.toggle("painting", event.target.checked);
  region.activate(event.target.checked);
});
at("clear-region").addEventListener("click", () => {
  region.reset(at("before").width, at("before").height);
  redraw();
});
at("download").addEventListener("click", () => busy("Working at full size…", () => download({})));
at("download-result").addEventListener("click", () =>
  busy("Working at full size…", () =>
    download({ layers: "transmission", strength: at("strength").value }),
  ),
);
