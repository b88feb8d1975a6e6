"use strict";

// Shapes of areas in pixels of the image: x to the right, y down, angles in degrees clockwise. A shape has a kind and a name:
//   rectangle  x, y, width, height, rotation      ellipse  x, y, radius_x, radius_y, rotation
//   polygon    points                             fixed    lines, which cannot be changed here (masks, polygons with holes)
// A frame is an upright box: x, y, width, height. No function changes what it is given.

const CURVE = 90; // corners with which an ellipse is drawn

/** A number as it is kept: thousandths of a pixel are enough. */
function tidy(value) {
  return Math.round(value * 1000) / 1000;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** The box around points, and the points of the lines around a shape. */
function frameOf(points) {
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const x = Math.min(...xs), y = Math.min(...ys);
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

function lines(shape) {
  if (shape.kind === "fixed") return shape.lines;
  if (shape.kind === "polygon") return [shape.points];
  const { x, y, width, height } = frame(shape), middle = [x + width / 2, y + height / 2];
  const corners = shape.kind === "rectangle"
    ? [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    : Array.from({ length: CURVE }, (_, i) => {
        const angle = (2 * Math.PI * i) / CURVE;
        return [middle[0] + (width / 2) * Math.cos(angle), middle[1] + (height / 2) * Math.sin(angle)];
      });
  return [isUpright(shape) ? corners : corners.map((corner) => turned(corner, middle, shape.rotation))];
}

function turned([x, y], [middleX, middleY], degrees) {
  const angle = (degrees * Math.PI) / 180, cosine = Math.cos(angle), sine = Math.sin(angle);
  const dx = x - middleX, dy = y - middleY;
  return [middleX + dx * cosine - dy * sine, middleY + dx * sine + dy * cosine];
}

function isUpright(shape) {
  return shape.kind === "fixed" || shape.kind === "polygon" || shape.rotation % 180 === 0;
}

/** The frame in which a shape was drawn; rectangles and ellipses may be turned about its middle. */
function frame(shape) {
  if (shape.kind === "rectangle") return { x: shape.x, y: shape.y, width: shape.width, height: shape.height };
  if (shape.kind === "ellipse") {
    const { x, y, radius_x, radius_y } = shape;
    return { x: x - radius_x, y: y - radius_y, width: 2 * radius_x, height: 2 * radius_y };
  }
  return frameOf(lines(shape).flat());
}

/** The upright box around a shape as it is seen. */
function extent(shape) {
  return isUpright(shape) ? frame(shape) : frameOf(lines(shape).flat());
}

function withFrame(shape, to) {
  const [x, y, width, height] = [to.x, to.y, to.width, to.height].map(tidy);
  if (shape.kind === "rectangle") return { ...shape, x, y, width, height };
  if (shape.kind === "ellipse") {
    const radius_x = width / 2, radius_y = height / 2;
    return { ...shape, x: tidy(x + radius_x), y: tidy(y + radius_y), radius_x, radius_y };
  }
  if (shape.kind !== "polygon") return shape;
  const from = frame(shape);
  const along = (value, start, size, newStart, newSize) => tidy(newStart + ((value - start) * newSize) / (size || 1));
  const points = shape.points.map(([px, py]) => [
    along(px, from.x, from.width, x, width),
    along(py, from.y, from.height, y, height),
  ]);
  return { ...shape, points };
}

/** A shape moved by whole steps, as far as the image reaches; what already reaches over its border can come back. */
function movedBy(shape, dx, dy, size) {
  if (shape.kind === "fixed") return shape;
  const around = extent(shape);
  const inside = (step, start, length, whole) => clamp(step, Math.min(0, -start), Math.max(0, whole - start - length));
  const x = inside(dx, around.x, around.width, size.width), y = inside(dy, around.y, around.height, size.height);
  if (shape.kind === "polygon") return { ...shape, points: shape.points.map(([px, py]) => [tidy(px + x), tidy(py + y)]) };
  return { ...shape, x: tidy(shape.x + x), y: tidy(shape.y + y) };
}

/** The frame between two corners; square if wanted, in the direction of the second. */
function between(from, to, square) {
  let width = to.x - from.x, height = to.y - from.y;
  if (square) {
    const side = Math.min(Math.abs(width), Math.abs(height));
    width = side * Math.sign(width), height = side * Math.sign(height);
  }
  const x = Math.min(from.x, from.x + width), y = Math.min(from.y, from.y + height);
  return { x, y, width: Math.abs(width), height: Math.abs(height) };
}

/** A frame of which one side or corner, such as "ne", was dragged to a point; with the same proportions if wanted. */
function dragged(start, handle, point, keepRatio) {
  let left = start.x, top = start.y, right = start.x + start.width, bottom = start.y + start.height;
  if (handle.includes("w")) left = point.x;
  if (handle.includes("e")) right = point.x;
  if (handle.includes("n")) top = point.y;
  if (handle.includes("s")) bottom = point.y;
  if (keepRatio && handle.length === 2) {
    const factor = Math.min(Math.abs(right - left) / start.width, Math.abs(bottom - top) / start.height);
    const width = factor * start.width, height = factor * start.height;
    if (handle.includes("w")) left = right - width; else right = left + width;
    if (handle.includes("n")) top = bottom - height; else bottom = top + height;
  }
  const x = Math.min(left, right), y = Math.min(top, bottom);
  return { x, y, width: Math.max(1, Math.abs(right - left)), height: Math.max(1, Math.abs(bottom - top)) };
}

/** Whether any of a shape lies on the image. */
function isOnImage(shape, size) {
  const { x, y, width, height } = extent(shape);
  return x < size.width && y < size.height && x + width > 0 && y + height > 0;
}

function newShape(kind, name, box) {
  const { x, y, width, height } = box;
  if (kind === "polygon") {
    const points = [[x + width / 2, y], [x + width, y + height / 2], [x + width / 2, y + height], [x, y + height / 2]];
    return { kind, name, points };
  }
  const shape = kind === "ellipse"
    ? { kind, name, x: 0, y: 0, radius_x: 1, radius_y: 1, rotation: 0 }
    : { kind, name, x: 0, y: 0, width: 1, height: 1, rotation: 0 };
  return withFrame(shape, box);
}
