// The brush: a canvas whose opacity says where the effect is wanted.

export class Region {
  /** changed: called after each stroke. */
  constructor(canvas, size, changed) {
    this.canvas = canvas;
    this.size = size;
    this.changed = changed;
    this.painted = false;
    this.active = false;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  reset(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.painted = false;
    this.at = [width / 2, height / 2];
  }

  activate(active) {
    this.active = active;
    this.canvas.tabIndex = active ? 0 : -1;
    this.canvas.toggleAttribute("aria-hidden", !active);
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", "Region: arrow keys move the brush, space paints");
  }

  /** Opacities as ImageData, or null where nothing was painted: then the effect is everywhere. */
  data() {
    if (!this.painted) return null;
    return this.#context().getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  blob() {
    if (!this.painted) return Promise.resolve(null);
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }

  #context() {
    return this.canvas.getContext("2d", { willReadFrequently: true });
  }

  #radius() {
    return (Number(this.size.value) / 100) * this.canvas.width;
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.canvas.width,
      ((event.clientY - box.top) / box.height) * this.canvas.height,
    ];
  }

  #stroke(from, to) {
    const context = this.#context();
    context.strokeStyle = "#fff";
    context.lineWidth = 2 * this.#radius();
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(to[0] + 0.01, to[1]);
    context.stroke();
    this.at = to;
    this.painted = true;
    this.changed();
  }

  #down(event) {
    if (!this.active) return;
    this.canvas.setPointerCapture(event.pointerId);
    const place = this.#place(event);
    this.#stroke(place, place);
  }

  #move(event) {
    if (this.active && event.buttons) this.#stroke(this.at, this.#place(event));
  }

  #key(event) {
    const step = this.#radius() / 2;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === " ") this.#stroke(this.at, this.at);
    else if (moves[event.key]) this.at = this.at.map((value, axis) => value + moves[event.key][axis]);
    else return;
    event.preventDefault();
  }
}
