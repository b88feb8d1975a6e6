// The board: a picture, its areas in an SVG layer, their labels, and the tools. Gradio runs this once for each board, with
// `element`, `props`, `trigger` and `watch`. A scene from the server has the address of the picture, the size of the image,
// the areas, their shares of the attention, limits, and a message.

const find = (selector) => element.querySelector(selector);
const board = find(".board"), stage = find(".stage"), view = find(".view"), layer = find(".layer"), picture = find("img");
const message = find(".message"), naming = find(".rename"), hint = find(".hint"), numbers = find(".numbers");
const handleSize = window.matchMedia("(pointer: coarse)").matches ? 18 : 10;

const NEAR = 4; // pixels of the screen that a pointer may move in a click
const CLOSING = 12; // pixels of the screen around the first corner of a polygon
const LONG = 0.5; // width divided by height, of pages that scroll
const SIDES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const HINTS = {
  select: "Click an area to select it, drag it to move it. A double click renames it.",
  rectangle: "Drag in the picture to draw a rectangle.",
  ellipse: "Drag in the picture to draw an ellipse.",
  polygon: "Click each corner. A click on the first one, a double click or Enter closes the polygon.",
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TOOLS = { v: "select", r: "rectangle", o: "ellipse", p: "polygon" };

let scene = null; // the latest from the server
let list = null; // the AreaList that it shows
let selected = null; // the id of an area
let tool = "rectangle";
let gesture = null; // what is being dragged: { move, end, cancel }
let draft = null; // the shape that is being drawn
let corners = null; // of the polygon that is being drawn
let zoom = 1;
const nodes = new Map(); // the elements of each area by its id

// ---- from the server ----

function receive() {
  const value = props.value;
  if (!value) {
    board.hidden = true;
    return;
  }
  const isOther = scene?.key !== value.key || scene?.name !== value.name;
  scene = JSON.parse(JSON.stringify(value));
  const shown = AreaList.receive(props.group, scene);
  if (shown !== list) {
    list?.listeners.delete(render);
    list = shown;
    list.listeners.add(render);
  }
  if (isOther) {
    if (gesture) cancelGesture();
    [selected, corners, draft] = [null, null, null];
    setZoom(1);
    setTool(list.areas.length ? "select" : "rectangle");
  }
  if (picture.getAttribute("src") !== scene.picture.url) picture.src = scene.picture.url;
  picture.style.aspectRatio = `${scene.width} / ${scene.height}`;
  stage.style.setProperty("--ratio", scene.width / scene.height > LONG ? scene.width / scene.height : 99);
  stage.setAttribute("aria-label", `${scene.name}: areas of interest`);
  board.hidden = false;
  say(scene.message);
  render();
}

function say(text) {
  message.textContent = text;
  message.hidden = !text;
}

// ---- to the screen ----

const scale = () => layer.clientWidth / scene.width;
const current = () => list?.find(selected);

function pathOf(shape) {
  const s = scale();
  const line = (points) => `M${points.map(([x, y]) => `${(x * s).toFixed(2)} ${(y * s).toFixed(2)}`).join("L")}Z`;
  return lines(shape).map(line).join("");
}

function make(name, classes, parent) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  node.setAttribute("class", classes);
  parent.append(node);
  return node;
}

function render() {
  if (!scene) return;
  if (selected !== null && !current()) selected = null;
  const s = scale();
  if (s) {
    const shown = list.areas.filter((area) => isOnImage(area, scene));
    for (const [id, node] of nodes) if (!shown.some((area) => area.id === id)) removeNode(id, node);
    for (const area of shown) renderArea(area);
    if (!gesture) orderNodes(shown);
    placeLabels(shown, s);
    renderDraft(s);
    renderHandles(s);
  }
  renderDetails();
}

function removeNode(id, node) {
  if (node.group === document.activeElement) stage.focus({ preventScroll: true });
  node.group.remove();
  node.label.remove();
  nodes.delete(id);
}

function renderArea(area) {
  let node = nodes.get(area.id);
  if (!node) {
    const group = make("g", "area", find(".areas")), label = document.createElement("div");
    group.setAttribute("tabindex", "0");
    group.setAttribute("role", "button");
    group.addEventListener("focus", () => select(area.id));
    label.innerHTML = '<span class="name"></span><span class="share"></span>';
    label.addEventListener("pointerdown", pressed);
    find(".labels").append(label);
    node = { group, label, paths: ["casing", "line", "hit"].map((name) => make("path", name, group)) };
    nodes.set(area.id, node);
    group.dataset.id = label.dataset.id = area.id;
  }
  const d = pathOf(area), share = scene.shares[area.name], isSelected = area.id === selected;
  const percent = share === undefined ? "" : `${(100 * share).toFixed(1)}%`;
  if (percent) node.percent = percent;
  for (const path of node.paths) path.setAttribute("d", d);
  node.group.setAttribute("class", `area${isSelected ? " is-selected" : ""}${area.kind === "fixed" ? " is-fixed" : ""}`);
  node.group.setAttribute("aria-pressed", isSelected);
  const share_text = percent ? `, ${percent} of the attention` : "";
  node.group.setAttribute("aria-label", `${area.name}, ${area.of ?? area.kind}${share_text}`);
  node.label.className = `label${isSelected ? " is-selected" : ""}${list.isWaiting || list.isHeld ? " is-old" : ""}`;
  node.label.children[0].textContent = area.name;
  node.label.children[1].textContent = node.percent ?? "";
  node.label.title = area.name;
}

/** Small areas lie above large ones, so that all can be clicked. */
function orderNodes(shown) {
  const surface = (area) => extent(area).width * extent(area).height;
  const groups = [...shown].sort((a, b) => surface(b) - surface(a)).map((area) => nodes.get(area.id).group);
  const before = [...find(".areas").children];
  if (groups.every((group, i) => group === before[i])) return;
  const focused = document.activeElement;
  find(".areas").append(...groups);
  if (groups.includes(focused)) focused.focus({ preventScroll: true });
}

/** Each label goes above its area, or else inside, below, or where it covers no other label. */
function placeLabels(shown, s) {
  const taken = [], width = layer.clientWidth, height = layer.clientHeight;
  for (const area of shown) {
    const { label } = nodes.get(area.id), wide = label.offsetWidth, high = label.offsetHeight, box = extent(area);
    const [left, top, right, bottom] = [box.x, box.y, box.x + box.width, box.y + box.height].map((v) => v * s);
    const isRound = area.kind === "ellipse" || !isUpright(area) || area.kind === "polygon";
    const starts = isRound ? [(left + right - wide) / 2, left, right - wide] : [left, right - wide];
    const tops = [top - high - 7, ...(bottom - top > 3 * high ? [top + 4, bottom + 3] : [bottom + 3, top + 4])];
    for (let step = 1; step * high < height; step++) tops.push(top + step * (high + 2), top - (step + 1) * (high + 2));
    const places = tops
      .filter((y) => y >= 0 && y + high <= height)
      .flatMap((y) => starts.map((x) => ({ x: clamp(x, 0, Math.max(0, width - wide)), y, wide, high })));
    const isFree = (a) => !taken.some((b) => a.x < b.x + b.wide && b.x < a.x + a.wide && a.y < b.y + b.high && b.y < a.y + a.high);
    const place = places.find(isFree) ?? places[0] ?? { x: 0, y: 0, wide, high };
    taken.push(place);
    label.style.transform = `translate(${Math.round(place.x)}px, ${Math.round(place.y)}px)`;
    nodes.get(area.id).place = place;
  }
}

function renderDraft(s) {
  let d = draft ? pathOf(draft) : "";
  if (corners) {
    const points = [...corners.points, ...(corners.pointer ? [corners.pointer] : [])];
    d = `M${points.map(([x, y]) => `${x * s} ${y * s}`).join("L")}`;
  }
  for (const path of [find(".draft-casing"), find(".draft")]) path.setAttribute("d", d);
}

/** The handles of the selected area, or the corners of the polygon that is being drawn. */
function wantedHandles() {
  if (corners) return corners.points.map(([x, y], i) => ({ x, y, data: {}, classes: i ? "" : "is-first", isRound: true }));
  const shape = current();
  if (!shape || tool !== "select" || shape.kind === "fixed" || !isUpright(shape) || !isOnImage(shape, scene)) return [];
  if (shape.kind === "polygon") {
    const next = (i) => shape.points[(i + 1) % shape.points.length];
    const middles = shape.points.map(([x, y], i) => ({
      x: (x + next(i)[0]) / 2, y: (y + next(i)[1]) / 2, data: { middle: i }, classes: "is-middle", isRound: true,
    }));
    const ends = shape.points.map(([x, y], i) => ({ x, y, data: { corner: i }, classes: "", isRound: true }));
    return [...(shape.points.length < scene.limits.corners ? middles : []), ...ends];
  }
  const { x, y, width, height } = frame(shape);
  return SIDES.map((side) => ({
    x: x + width * (side.includes("w") ? 0 : side.includes("e") ? 1 : 0.5),
    y: y + height * (side.includes("n") ? 0 : side.includes("s") ? 1 : 0.5),
    data: { handle: side }, classes: "", isRound: false,
  }));
}

function renderHandles(s) {
  const wanted = wantedHandles(), parent = find(".handles");
  while (parent.children.length > wanted.length) parent.lastChild.remove();
  wanted.forEach(({ x, y, data, classes, isRound }, i) => {
    const node = parent.children[i] ?? make("rect", "", parent);
    const size = classes === "is-middle" ? 0.8 * handleSize : handleSize;
    const values = { x: x * s - size / 2, y: y * s - size / 2, width: size, height: size, rx: isRound ? size / 2 : 1.5 };
    for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
    node.setAttribute("class", `handle ${classes}`);
    for (const name of ["handle", "corner", "middle"]) {
      if (name in data) node.dataset[name] = data[name]; else delete node.dataset[name];
    }
    if ("corner" in data) {
      node.setAttribute("tabindex", "0");
      node.setAttribute("role", "button");
      node.setAttribute("aria-label", `corner ${data.corner + 1} of ${current().name}`);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) node.removeAttribute(name);
    }
  });
}

/** What stands between the tools and the picture: place and size of the shape in hand, or what to do next. */
function renderDetails() {
  const shape = draft ?? current();
  const isShown = Boolean(shape);
  hint.hidden = isShown;
  numbers.hidden = !isShown;
  find(".chosen").hidden = !current();
  hint.textContent = HINTS[tool];
  const box = shape && frame(shape);
  for (const input of numbers.querySelectorAll("input")) {
    if (box && (input !== document.activeElement || gesture)) input.value = tidy(box[input.dataset.number]);
    input.disabled = !shape || shape.kind === "fixed";
  }
  for (const button of board.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tool);
  const can = {
    rename: true, remove: true, clear: list.areas.length, undo: corners || list.past.length, redo: list.future.length,
    smaller: zoom > 0.25, larger: zoom < 8, full: true,
  };
  for (const button of board.querySelectorAll("[data-do]")) button.disabled = !can[button.dataset.do];
  stage.classList.toggle("drawing", tool !== "select");
}

// ---- what can be done ----

function select(id) {
  if (selected === id) return;
  selected = id;
  render();
}

function focusArea(id) {
  select(id);
  nodes.get(id)?.group.focus({ preventScroll: true });
}

function setTool(name) {
  tool = name;
  draft = corners = null;
  if (name !== "select") selected = null;
  render();
}

/** Make what is selected, or all areas, something else. */
const alter = (shape, options) => list.change(list.with(shape.id, shape), trigger, options);

function add(kind, box, points) {
  if (list.areas.length >= scene.limits.areas) {
    setTool("select");
    say(`At most ${scene.limits.areas} areas fit on an image. Delete some first.`);
    return;
  }
  const shape = newShape(kind, list.freeName(), box);
  const area = { ...shape, ...(points ? { points } : {}), id: newId() };
  setTool("select");
  list.change([...list.areas, area], trigger);
  focusArea(area.id);
}

function addInTheMiddle() {
  const width = Math.max(1, Math.round(scene.width / 4)), height = Math.max(1, Math.round(scene.height / 4));
  add(tool, { x: Math.round((scene.width - width) / 2), y: Math.round((scene.height - height) / 2), width, height });
}

function duplicate(shape) {
  if (list.areas.length >= scene.limits.areas || shape.kind === "fixed") return;
  const [, stem, number] = shape.name.match(/^(.*?)(?: (\d+))?$/);
  const name = list.freeName(stem, number ? Number(number) + 1 : 2);
  const area = { ...movedBy(shape, 10, 10, scene), name, id: newId() };
  list.change([...list.areas, area], trigger);
  focusArea(area.id);
}

function remove(shape) {
  const i = list.areas.indexOf(shape), next = list.areas[i + 1] ?? list.areas[i - 1];
  list.change(list.areas.filter((area) => area !== shape), trigger);
  if (next) focusArea(next.id); else stage.focus({ preventScroll: true });
}

function removeCorner(shape, corner) {
  if (shape.points.length <= 3) {
    say("A polygon has at least three corners.");
    return;
  }
  alter({ ...shape, points: shape.points.filter((_, i) => i !== corner) });
}

function closePolygon() {
  const { points } = corners;
  if (points.length < 3 || !(frameOf(points).width > 0 && frameOf(points).height > 0)) {
    say("A polygon has at least three corners that are not on one line.");
    return;
  }
  add("polygon", frameOf(points), points);
}

function rename(shape) {
  focusArea(shape.id);
  const { x, y } = nodes.get(shape.id).place;
  naming.hidden = false;
  naming.value = shape.name;
  naming.dataset.id = shape.id;
  naming.style.left = `${clamp(x, 0, Math.max(0, layer.clientWidth - 200))}px`;
  naming.style.top = `${y}px`;
  naming.focus();
  naming.select();
}

/** Take the new name. With one that cannot be used, the field stays open, or the area keeps its name if the visitor left. */
function finishNaming({ isLeaving = false } = {}) {
  const shape = list.find(Number(naming.dataset.id)), name = naming.value.trim();
  if (naming.hidden) return;
  let problem = "";
  if (!name) problem = "An area needs a name.";
  else if (name.length > scene.limits.letters) problem = `A name has at most ${scene.limits.letters} characters.`;
  else if (list.areas.some((area) => area !== shape && area.name === name)) problem = `Another area is called “${name}”.`;
  if (problem && !isLeaving) {
    say(`${problem} Choose another name, or press Escape.`);
    return;
  }
  naming.hidden = true;
  say(problem && shape ? `${problem} The area is still called “${shape.name}”.` : "");
  if (!isLeaving && shape) focusArea(shape.id);
  if (shape && !problem && name !== shape.name) {
    const percent = scene.shares[shape.name];
    if (percent !== undefined) scene.shares[name] = percent;
    alter({ ...shape, name });
  }
}

function typeNumber(input) {
  const shape = current(), value = input.valueAsNumber;
  if (!shape || !Number.isFinite(value)) {
    render();
    return;
  }
  const box = { ...frame(shape), [input.dataset.number]: value };
  if (!(box.width > 0 && box.height > 0)) {
    say("Width and height are above 0.");
    input.value = tidy(frame(shape)[input.dataset.number]);
    return;
  }
  let changed = withFrame(shape, box);
  if (!isOnImage(changed, scene)) {
    say(`This would lie outside the image, which is ${scene.width} pixels wide and ${scene.height} high.`);
    input.value = tidy(frame(shape)[input.dataset.number]);
    return;
  }
  if (shape.kind === "rectangle" && isUpright(shape)) { // the part on the image, as the server keeps it
    const [x0, y0] = [Math.max(box.x, 0), Math.max(box.y, 0)];
    const [x1, y1] = [Math.min(box.x + box.width, scene.width), Math.min(box.y + box.height, scene.height)];
    changed = withFrame(shape, { x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
  }
  say("");
  alter(changed);
}

function setZoom(wanted, at = { x: view.clientWidth / 2, y: view.clientHeight / 2 }) {
  const before = zoom;
  zoom = clamp(wanted, 0.25, 8);
  const x = view.scrollLeft + at.x, y = view.scrollTop + at.y;
  stage.style.setProperty("--zoom", zoom);
  view.classList.toggle("zoomed", zoom > 1);
  view.scrollLeft = (x * zoom) / before - at.x;
  view.scrollTop = (y * zoom) / before - at.y;
  render();
}

const COMMANDS = {
  rename: () => rename(current()),
  remove: () => remove(current()),
  clear: () => list.change([], trigger),
  undo: () => (corners ? dropCorner() : list.undo(trigger)),
  redo: () => list.redo(trigger),
  smaller: () => setZoom(zoom / 1.5),
  larger: () => setZoom(zoom * 1.5),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : board.requestFullscreen()),
};
