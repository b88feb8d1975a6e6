// Pointer and keys: what a visitor does on the board. A drag is a gesture with `move`, `end` and `cancel`.

/** Where a pointer is, in pixels of the image and not beyond its border. */
function at(event) {
  const box = layer.getBoundingClientRect(), s = scale();
  return {
    x: clamp((event.clientX - box.left) / s, 0, scene.width),
    y: clamp((event.clientY - box.top) / s, 0, scene.height),
  };
}

/** The same in whole pixels: areas begin and end between pixels of the image. */
function whole(event) {
  const { x, y } = at(event);
  return { x: Math.round(x), y: Math.round(y) };
}

const isNear = (a, b, distance) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) < distance;

function pressed(event) {
  if (!scene || gesture || event.button !== 0 || !event.isPrimary || event.target === naming) return;
  if (event.target === view && zoom > 1) return; // a scroll bar
  event.stopPropagation();
  event.preventDefault(); // the focus is set here
  finishNaming({ isLeaving: true });
  document.activeElement?.blur?.(); // takes the number that is being typed
  if (current()) focusArea(selected); else stage.focus({ preventScroll: true });
  const { handle, corner, middle } = event.target.dataset;
  if (tool === "polygon") pressPolygon(event);
  else if (tool !== "select") gesture = drawing(event);
  else if (handle) gesture = resizing(handle);
  else if (corner !== undefined) gesture = movingCorner(Number(corner), event.target);
  else if (middle !== undefined) gesture = addingCorner(Number(middle));
  else {
    const id = Number(event.target.closest("[data-id]")?.dataset.id);
    if (id) {
      focusArea(id);
      gesture = moving(event);
    } else {
      select(null);
      stage.focus({ preventScroll: true });
    }
  }
  if (gesture) {
    stage.setPointerCapture(event.pointerId);
    say("");
  }
}

/** A gesture that changes the selected area: `change(event)` gives it in its new form. */
function changing(change, end = () => {}) {
  const before = list.areas, dragged = list;
  return {
    move(event) {
      dragged.drag(dragged.with(selected, change(event)), trigger);
    },
    end() {
      if (dragged.drop(before, trigger)) end();
    },
    cancel() {
      dragged.drop(before, trigger, true);
    },
  };
}

function moving(start) {
  const shape = current(), from = at(start);
  let isMoving = false;
  const change = changing((event) => {
    const to = at(event);
    let [dx, dy] = [Math.round(to.x - from.x), Math.round(to.y - from.y)];
    if (event.shiftKey) [dx, dy] = Math.abs(dx) > Math.abs(dy) ? [dx, 0] : [0, dy];
    return movedBy(shape, dx, dy, scene);
  });
  const move = change.move;
  change.move = (event) => {
    isMoving ||= !isNear(start, event, NEAR) && shape.kind !== "fixed";
    if (isMoving) move(event);
  };
  return change;
}

function resizing(handle) {
  const shape = current(), start = frame(shape);
  return changing((event) => withFrame(shape, dragged(start, handle, whole(event), event.shiftKey)));
}

function withCorner(shape, i, { x, y }) {
  return { ...shape, points: shape.points.map((point, n) => (n === i ? [x, y] : point)) };
}

function movingCorner(i, node) {
  const shape = current();
  node.focus({ preventScroll: true });
  return changing((event) => withCorner(shape, i, whole(event)));
}

function addingCorner(i) {
  const shape = current(), points = shape.points;
  return changing((event) => {
    const { x, y } = whole(event);
    return { ...shape, points: [...points.slice(0, i + 1), [x, y], ...points.slice(i + 1)] };
  }, () => find(`.handle[data-corner="${i + 1}"]`)?.focus({ preventScroll: true }));
}

/** Draw a rectangle or an ellipse; a click selects what lies there instead. */
function drawing(start) {
  const from = whole(start), kind = tool;
  let box = null;
  return {
    move(event) {
      if (!box && isNear(start, event, NEAR)) return;
      box = between(from, whole(event), event.shiftKey);
      draft = box.width && box.height ? newShape(kind, "new", box) : null;
      render();
    },
    end() {
      const isDrawn = Boolean(draft);
      draft = null;
      if (isDrawn) {
        add(kind, box);
        return;
      }
      const id = Number(start.target.closest("[data-id]")?.dataset.id);
      if (!box && id) {
        setTool("select");
        focusArea(id);
      }
    },
    cancel() {
      draft = null;
      render();
    },
  };
}

/** Add a corner to the polygon that is being drawn, or close it at its first corner. */
function pressPolygon(event) {
  const point = whole(event), spot = [point.x, point.y], s = scale();
  const distance = ([x, y]) => Math.hypot(x - point.x, y - point.y) * s;
  corners ??= { points: [], pointer: null };
  const { points } = corners;
  if (points.length >= 3 && distance(points[0]) < CLOSING) {
    closePolygon();
    return;
  }
  if (points.length >= scene.limits.corners) {
    say(`A polygon has at most ${scene.limits.corners} corners.`);
    return;
  }
  if (!points.length || distance(points.at(-1)) >= NEAR) points.push(spot);
  corners.pointer = null;
  say("");
  render();
}

view.addEventListener("pointerdown", pressed);

stage.addEventListener("pointermove", (event) => {
  if (gesture) gesture.move(event);
  else if (corners && event.pointerType !== "touch") {
    const { x, y } = whole(event);
    corners.pointer = [x, y];
    renderDraft(scale());
  }
});

stage.addEventListener("pointerup", () => {
  const ended = gesture;
  gesture = null;
  ended?.end();
  render();
});

stage.addEventListener("pointercancel", cancelGesture);

// A finger that drags an area does not scroll the page. (The style touch-action has no effect on parts of an SVG.)
view.addEventListener("touchmove", (event) => {
  if (gesture) event.preventDefault();
}, { passive: false });

function cancelGesture() {
  const cancelled = gesture;
  gesture = null;
  cancelled?.cancel();
  render();
}

stage.addEventListener("dblclick", (event) => {
  if (!scene || event.target === naming) return;
  if (corners) {
    if (corners.points.length >= 3) closePolygon();
    return;
  }
  if (tool !== "select") return;
  const node = document.elementFromPoint(event.clientX, event.clientY);
  const { corner } = node?.dataset ?? {}, id = Number(node?.closest("[data-id]")?.dataset.id);
  if (corner !== undefined) removeCorner(current(), Number(corner));
  else if (id) rename(list.find(id));
});

view.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const box = view.getBoundingClientRect();
  setZoom(zoom * Math.exp(-event.deltaY / 400), { x: event.clientX - box.left, y: event.clientY - box.top });
}, { passive: false });

board.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  finishNaming({ isLeaving: true });
  say("");
  if (button.dataset.tool) {
    setTool(button.dataset.tool);
    stage.focus({ preventScroll: true });
  } else {
    COMMANDS[button.dataset.do]();
    if (button.disabled) stage.focus({ preventScroll: true }); // so that keys still work
  }
});

naming.addEventListener("keydown", (event) => {
  event.stopPropagation();
  if (event.key === "Enter") {
    event.preventDefault();
    finishNaming();
  } else if (event.key === "Escape") {
    naming.hidden = true;
    say("");
    focusArea(Number(naming.dataset.id));
  }
});
naming.addEventListener("blur", () => finishNaming({ isLeaving: true }));

numbers.addEventListener("change", (event) => typeNumber(event.target));
numbers.addEventListener("keydown", (event) => {
  event.stopPropagation();
  const isUndo = (event.ctrlKey || event.metaKey) && ["z", "y"].includes(event.key.toLowerCase());
  if (event.key === "Escape" || isUndo) {
    event.preventDefault();
    focusArea(selected);
    render();
    if (isUndo) onKey(event);
  }
});

board.addEventListener("keydown", onKey);
board.addEventListener("focusin", () => (PAGE.active = board));

// Undo and redo also work right after a click elsewhere on the page, on the board that was used last.
document.addEventListener("keydown", (event) => {
  if (event.target.closest?.(".board, input, textarea, select, [contenteditable]")) return;
  const boards = [...document.querySelectorAll(".board")].filter((other) => other.offsetParent);
  const active = boards.includes(PAGE.active) ? PAGE.active : boards[0];
  const key = event.key.toLowerCase();
  if (active === board && (event.ctrlKey || event.metaKey) && (key === "z" || key === "y")) {
    event.preventDefault();
    withControl(key, event.shiftKey);
  }
});

function onKey(event) {
  if (!scene || event.target.closest("summary")) return;
  const isInPicture = stage.contains(event.target), key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const done = event.ctrlKey || event.metaKey
    ? withControl(key, event.shiftKey)
    : (isInPicture && onPictureKey(event, key)) || (!event.altKey && onToolKey(key, isInPicture));
  if (done) event.preventDefault();
}

function withControl(key, isShift) {
  const command = { z: isShift ? "redo" : "undo", y: "redo" }[key];
  if (command) {
    if (gesture) cancelGesture();
    else COMMANDS[command]();
    if (!selected) stage.focus({ preventScroll: true });
    return true;
  }
  if (key === "v" && PAGE.copied) paste(PAGE.copied);
  else if (!current()) return false;
  else if (key === "c") PAGE.copied = current();
  else if (key === "d") paste(current());
  else return false;
  return true;
}

function onToolKey(key, isInPicture) {
  if (TOOLS[key]) {
    setTool(TOOLS[key]);
    if (isInPicture) stage.focus({ preventScroll: true });
  } else if (key === "+" || key === "=") COMMANDS.larger();
  else if (key === "-") COMMANDS.smaller();
  else if (key === "0") setZoom(1);
  else return false;
  return true;
}

/** What a key does in the picture; whether it did something. */
function onPictureKey(event, key) {
  const shape = current(), corner = event.target.dataset.corner;
  if (key === "Escape") {
    if (gesture) cancelGesture();
    else if (corners) setTool(tool);
    else if (tool !== "select" || shape) {
      setTool("select");
      select(null);
      stage.focus({ preventScroll: true });
    } else return false;
    say("");
  } else if (key === "Enter" && corners) closePolygon();
  else if (key === "Enter" && tool !== "select") addInTheMiddle();
  else if (key === "Backspace" && corners) dropCorner();
  else if (!shape) return false;
  else if (key === "Enter" || key === "F2") rename(shape);
  else if (key === "Delete" || key === "Backspace") {
    if (corner === undefined) remove(shape); else removeCorner(shape, Number(corner));
  } else if (ARROWS[key]) nudge(shape, ARROWS[key], event, corner);
  else return false;
  return true;
}

function dropCorner() {
  corners.points.pop();
  if (!corners.points.length) corners = null;
  render();
}

/** Move or, with Alt, resize by 1 pixel, with Shift by 10. */
function nudge(shape, [x, y], { shiftKey, altKey }, corner) {
  const length = shiftKey ? 10 : 1, dx = x * length, dy = y * length;
  let changed;
  if (corner !== undefined) {
    const [oldX, oldY] = shape.points[corner];
    const spot = { x: clamp(oldX + dx, 0, scene.width), y: clamp(oldY + dy, 0, scene.height) };
    changed = withCorner(shape, Number(corner), spot);
  } else if (altKey) {
    if (!isUpright(shape)) return;
    const box = frame(shape);
    const width = Math.max(1, Math.min(box.width + dx, Math.max(box.width, scene.width - box.x)));
    const height = Math.max(1, Math.min(box.height + dy, Math.max(box.height, scene.height - box.y)));
    changed = withFrame(shape, { ...box, width, height });
  } else {
    changed = movedBy(shape, dx, dy, scene);
  }
  if (JSON.stringify(changed) !== JSON.stringify(shape)) alter(changed, { step: `arrows ${shape.id} ${corner} ${altKey}` });
}

document.addEventListener("fullscreenchange", () => render());
new ResizeObserver(() => render()).observe(stage);
watch("value", receive);
receive();
