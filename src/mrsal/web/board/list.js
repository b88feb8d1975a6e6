// The areas of one image or design. Two boards that show the same areas share one list, so both change at once.
//
// The server has the truth. The list sends all its areas after each change, one edit at a time: what changes while the server
// works is sent together when it has answered. Until then, areas in an answer are older than those here and are not taken.

const MOST_STEPS = 200; // that can be undone
const PATIENCE = 30_000; // milliseconds until an edit without an answer is sent again
const SAME_STEP = 1000; // milliseconds within which arrow keys make one step for undo

const PAGE = (window.mrsalAreas ??= { lists: new Map(), edits: 0, ids: 0 }); // what all boards of the page share

const AreaList = (PAGE.AreaList ??= class AreaList {
  areas = [];
  past = [];
  future = [];
  listeners = new Set();
  number = 0; // of the latest edit that was sent
  revision = 0;
  isWaiting = false; // for the answer to an edit
  isUnsent = false; // a change was made since
  isDragged = false; // and the server has seen only some of the way
  step = { name: "", time: 0 };

  constructor(key) {
    this.key = key;
  }

  /** Take a scene from the server; returns the list that it shows. Lists of the same group have one count of edits. */
  static receive(group, scene) {
    for (const [name, list] of PAGE.lists) if (name.startsWith(`${group}/`)) list.#answered(scene.number);
    const name = `${group}/${scene.key}`;
    if (!PAGE.lists.has(name)) PAGE.lists.set(name, new AreaList(scene.key));
    const list = PAGE.lists.get(name);
    list.#adopt(scene);
    return list;
  }

  find(id) {
    return this.areas.find((area) => area.id === id);
  }

  /** The areas with one changed, for `show` and `change`. */
  with(id, shape) {
    return this.areas.map((area) => (area.id === id ? shape : area));
  }

  freeName(stem = "area", first = 1) {
    const names = new Set(this.areas.map((area) => area.name));
    for (let n = first; ; n++) if (!names.has(`${stem} ${n}`)) return `${stem} ${n}`;
  }

  show(areas) {
    this.areas = areas;
    for (const listener of this.listeners) listener();
  }

  /** Show areas while they are being dragged, and ask for their shares if the server has nothing else to do. */
  drag(areas, trigger) {
    this.isDragged = true;
    this.show(areas);
    if (!this.isWaiting) this.#send(trigger);
  }

  /** End a drag, in which the areas were `before` at the start; it counts as one change, or as none. */
  drop(before, trigger, isCancelled) {
    const isChanged = this.areas !== before;
    this.isDragged = false;
    if (isChanged && isCancelled) {
      this.show(before);
      this.#send(trigger);
    } else if (isChanged) {
      this.change(this.areas, trigger, { before });
    }
    return isChanged;
  }

  /** Change the areas, so that undo brings `before` back. Quick changes with the same name of a step are one step. */
  change(areas, trigger, { before = this.areas, step = "" } = {}) {
    const time = Date.now();
    if (!step || step !== this.step.name || time - this.step.time > SAME_STEP) this.past.push(before);
    this.past = this.past.slice(-MOST_STEPS);
    this.future = [];
    this.step = { name: step, time };
    this.show(areas);
    this.#send(trigger);
  }

  undo(trigger) {
    this.#travel(this.past, this.future, trigger);
  }

  redo(trigger) {
    this.#travel(this.future, this.past, trigger);
  }

  #travel(from, to, trigger) {
    if (!from.length) return;
    to.push(this.areas);
    this.step = { name: "", time: 0 };
    this.show(from.pop());
    this.#send(trigger);
  }

  #send(trigger) {
    this.trigger = trigger;
    this.isUnsent = this.isWaiting;
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.number = ++PAGE.edits;
    const areas = this.areas.map(bare);
    trigger("edit", { key: this.key, number: this.number, revision: this.revision, areas });
    this.timer = setTimeout(() => this.#answered(this.number, true), PATIENCE);
  }

  #answered(number, again = false) {
    if (!this.isWaiting || number < this.number) return;
    clearTimeout(this.timer);
    this.isWaiting = false;
    if (this.isUnsent || again) this.#send(this.trigger);
  }

  #adopt(scene) {
    if (this.isWaiting || this.isDragged || scene.number < this.number) return;
    const areas = scene.areas.map((area) => ({ ...area, id: this.#idOf(area.name) }));
    const isOther = JSON.stringify(areas.map(bare)) !== JSON.stringify(this.areas.map(bare));
    if (isOther && this.areas.length && scene.revision !== this.revision) {
      this.past.push(this.areas); // areas of a file replaced them
      this.future = [];
    }
    this.revision = scene.revision;
    if (isOther) this.show(areas);
  }

  #idOf(name) {
    return this.areas.find((area) => area.name === name)?.id ?? newId();
  }
});

function newId() {
  return ++PAGE.ids;
}

/** An area as the server wants it. */
function bare({ id, lines, of, ...area }) {
  return area;
}
