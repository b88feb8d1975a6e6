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
const nodes = new Map(); // the outline (group) and label of each area by its id

board.style.setProperty("--size", `${handleSize}px`);

// ---- from the server ----

function receive() {
  const value = props.value;
  if (!value) {
    board.hidden = true;
    return;
  }
  const isOther = scene?.key !== value.key || scene?.name !== value.name, isLoaded = scene?.revision !== value.revision;
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
  }
  if (isOther || isLoaded) setTool(list.areas.length ? "select" : "rectangle");
  if (picture.getAttribute("src") !== scene.picture.url) picture.src = scene.picture.url;
  picture.style.aspectRatio = `${scene.width} / ${scene.height}`;
  stage.style.setProperty("--ratio", scene.width / scene.height > LONG ? scene.width / scene.height : 99);
  stage.setAttribute("aria-label", `${scene.name}: areas of interest`);
  board.hidden = false;
  if (scene.message) say(scene.message);
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

function render() {
  if (!scene) return;
  if (selected !== null && !current()) selected = null;
  const s = scale();
  if (s) {
    const shown = list.areas.filter((area) => isOnImage(area, scene));
    for (const [id, node] of nodes) if (!shown.some((area) => area.id === id)) removeNode(id, node);
    for (const area of shown) renderArea(area);
    orderNodes(shown);
    placeLabels(shown, s);
    renderDraft(s);
    renderHandles(s);
  }
  renderDetails();
}

function removeNode(id, node) {
  if (node.label === document.activeElement) stage.focus({ preventScroll: true });
  node.group.remove();
  node.label.remove();
  nodes.delete(id);
}

/** The outline of an area, and its label, which has the focus when the area is selected. */
function makeNode(id) {
  const group = document.createElementNS("http://www.w3.org/2000/svg", "g"), label = document.createElement("div");
  group.innerHTML = '<path class="casing"/><path class="line"/><path class="hit"/>';
  label.innerHTML = '<span class="name"></span><span class="share"></span>';
  label.tabIndex = 0;
  label.setAttribute("role", "button");
  label.addEventListener("focus", () => select(id));
  group.dataset.id = label.dataset.id = id;
  find(".labels").append(label);
  return { group, label, percent: "" };
}

function renderArea(area) {
  if (!nodes.has(area.id)) nodes.set(area.id, makeNode(area.id));
  const node = nodes.get(area.id), { group, label } = node;
  const d = pathOf(area), isSelected = area.id === selected, share = scene.shares[area.name];
  if (share !== undefined) node.percent = `${(100 * share).toFixed(1)}%`;
  for (const path of group.children) path.setAttribute("d", d);
  group.setAttribute("class", `area${isSelected ? " is-selected" : ""}${area.kind === "fixed" ? " is-fixed" : ""}`);
  label.className = `label${isSelected ? " is-selected" : ""}${list.isWaiting ? " is-old" : ""}`;
  label.setAttribute("aria-pressed", isSelected);
  label.setAttribute("aria-label", `${area.name}, ${area.of ?? area.kind}, ${node.percent} of the attention`);
  label.title = area.name;
  label.children[0].textContent = area.name;
  label.children[1].textContent = node.percent;
}

/** Small areas lie above large ones, so that all can be clicked; labels are in the order of the list, for the Tab key. */
function orderNodes(shown) {
  const surface = (area) => extent(area).width * extent(area).height;
  const groups = [...shown].sort((a, b) => surface(b) - surface(a)).map((area) => nodes.get(area.id).group);
  if (groups.some((group, i) => group !== find(".areas").children[i])) find(".areas").append(...groups);
  const labels = shown.map((area) => nodes.get(area.id).label), before = [...board.querySelectorAll(".label")];
  if (labels.every((label, i) => label === before[i])) return;
  const focused = document.activeElement;
  find(".labels").append(...labels);
  if (labels.includes(focused)) focused.focus({ preventScroll: true });
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
function wantedHandles(s) {
  if (corners) return corners.points.map(([x, y], i) => ({ x, y, classes: i ? "is-round" : "is-round is-first" }));
  const shape = current();
  if (!shape || tool !== "select" || shape.kind === "fixed" || !isUpright(shape) || !isOnImage(shape, scene)) return [];
  if (shape.kind === "polygon") {
    const { points } = shape, isFull = points.length >= scene.limits.corners;
    const middle = ([x, y], i) => {
      const [nextX, nextY] = points[(i + 1) % points.length];
      return { x: (x + nextX) / 2, y: (y + nextY) / 2, middle: i, classes: "is-round is-middle" };
    };
    return [...(isFull ? [] : points.map(middle)), ...points.map(([x, y], i) => ({ x, y, corner: i, classes: "is-round" }))];
  }
  const { x, y, width, height } = frame(shape);
  const isRoomFor = (side) => side.length === 2 || ("ns".includes(side) ? width : height) * s > 4 * handleSize;
  return SIDES.filter(isRoomFor).map((side) => ({
    x: x + width * (side.includes("w") ? 0 : side.includes("e") ? 1 : 0.5),
    y: y + height * (side.includes("n") ? 0 : side.includes("s") ? 1 : 0.5),
    handle: side,
  }));
}

function renderHandles(s) {
  const wanted = wantedHandles(s), parent = find(".handles"), label = nodes.get(selected)?.label;
  if (label && parent.previousSibling !== label) label.after(parent); // Tab goes from an area to its corners
  while (parent.children.length > wanted.length) parent.lastChild.remove();
  wanted.forEach(({ x, y, handle, corner, middle, classes = "" }, i) => {
    const node = parent.children[i] ?? parent.appendChild(document.createElement("div"));
    node.className = `handle ${classes}`;
    [node.style.left, node.style.top] = [`${x * s}px`, `${y * s}px`];
    for (const [name, value] of Object.entries({ handle, corner, middle })) {
      if (value === undefined) delete node.dataset[name]; else node.dataset[name] = value;
    }
    const isCorner = corner !== undefined;
    const values = { tabindex: "0", role: "button", "aria-label": isCorner && `corner ${corner + 1} of ${current().name}` };
    for (const [name, value] of Object.entries(values)) {
      if (isCorner) node.setAttribute(name, value); else node.removeAttribute(name);
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
  nodes.get(id)?.label.focus({ preventScroll: true });
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
  if (!hasRoom()) {
    setTool("select");
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

/** Add a copy of an area, perhaps of another image, under a name that is free and beside the area if that is here. */
function paste(shape) {
  if (shape.kind === "fixed") {
    say("The shape of this area cannot be copied here.");
    return;
  }
  if (!hasRoom()) return;
  const isTaken = list.areas.some((area) => area.name === shape.name), [, stem, number] = shape.name.match(/^(.*?)(?: (\d+))?$/);
  const name = isTaken ? list.freeName(stem, number ? Number(number) + 1 : 2) : shape.name;
  const moved = isTaken ? movedBy(shape, 10, 10, scene) : shape;
  if (!isOnImage(moved, scene)) {
    say("The area would lie outside this image.");
    return;
  }
  const area = { ...moved, name, id: newId() };
  setTool("select");
  list.change([...list.areas, area], trigger);
  focusArea(area.id);
}

function hasRoom() {
  const isRoom = list.areas.length < scene.limits.areas;
  if (!isRoom) say(`At most ${scene.limits.areas} areas fit on an image. Delete some first.`);
  return isRoom;
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
  if (JSON.stringify(changed) !== JSON.stringify(shape)) alter(changed);
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
  clear: () => {
    list.change([], trigger);
    say("All areas were deleted. Undo brings them back.");
  },
  undo: () => (corners ? dropCorner() : list.undo(trigger)),
  redo: () => list.redo(trigger),
  smaller: () => setZoom(zoom / 1.5),
  larger: () => setZoom(zoom * 1.5),
  full: () => (document.fullscreenElement ? document.exitFullscreen() : board.requestFullscreen()),
};
