// The coordinator's page: asks for what is new once a second, and draws it. Text from the registry reaches the page as text only
// (textContent, attributes), never as markup.

const POLL_MS = 1000, ASK_MS = 8000, SHOWN_EVENTS = 200, SHOWN_RANKS = 64, WHOLE_HISTORY = 6000, ASK_RECORDS = 2000;
const EVENT_WINDOW = 8000, MOST_POINTS = 2400, MOST_CHARTS = 6, LATE_MS = 1000;
const $ = id => document.getElementById(id);

// ---- elements ----

function element(name, properties, ...children) {
  const e = document.createElement(name);
  Object.assign(e, properties);
  e.append(...children);
  return e;
}

function drawn(name, attributes, text) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const key in attributes) e.setAttribute(key, attributes[key]);
  if (text !== undefined) e.textContent = text;
  return e;
}

function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// Children of `parent` become one per item; those that stay keep their place in the document, and so the keyboard's focus.
function reconcile(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map(e => [e.key, e]));
  let at = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    let e = old.get(key);
    if (e) old.delete(key);
    else (e = make(item)).key = key;
    update(e, item);
    if (e === at) at = at.nextSibling;
    else parent.insertBefore(e, at);
  }
  for (const e of old.values()) e.remove();
}

function row(cells) {
  const tr = element('tr');
  cells.forEach((kind, i) => tr.append(element(i === 0 ? 'th' : 'td', { className: kind, scope: i === 0 ? 'row' : undefined })));
  return tr;
}

function setState(e, state, paused) {
  e.dataset.state = state;
  if (paused) e.dataset.paused = '';
  else delete e.dataset.paused;
  setText(e, paused ? state + ', paused' : state);
}

// ---- numbers and times ----

const count = n => String(n).replace(/\B(?=(\d{3})+$)/g, '\u202f');
const words = kind => kind.replaceAll('_', ' ');

function number(y, name) {
  if (y === null || y === undefined) return 'not finite';
  if (/accuracy/.test(name || '') && y >= 0 && y <= 1) return (100 * y).toFixed(2) + ' %';
  if (y === 0) return '0';
  const size = Math.abs(y);
  if (size >= 1e7 || size < 1e-3) return y.toExponential(2);
  if (size >= 1000) return count(Math.round(y));
  return y.toPrecision(4);
}

function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000)), two = n => String(n).padStart(2, '0');
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

function ago(ms) {
  const s = Math.max(0, ms) / 1000;
  const text = s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 129600 ? `${Math.round(s / 3600)} h`
    : `${Math.round(s / 86400)} days`;
  return `${text} ago`.replaceAll(' ', '\u00a0');
}

function clock(ms) {
  const t = new Date(ms), two = n => String(n).padStart(2, '0');
  const day = `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
  return `${day} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

// The time of a day that is today, the day and the minute of another one.
function setClock(e, ms) {
  const whole = clock(ms);
  setText(e, whole.slice(0, 10) === clock(now).slice(0, 10) ? whole.slice(11) : whole.slice(5, 16));
  e.title = whole;
}

function lag(ms) {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

// ---- the coordinator ----

async function ask(path) {
  const stop = new AbortController(), timer = setTimeout(() => stop.abort(), ASK_MS);
  try {
    const answer = await fetch(path, { signal: stop.signal, cache: 'no-store' });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`${answer.status} ${(await answer.text()).slice(0, 200)}`);
    return await answer.json();
  } finally {
    clearTimeout(timer);
  }
}

let chosen = { run: '', phase: '' }; // what the address says; '' for the newest
let now = Date.now();                // the coordinator's clock
let status = null;                   // of the run that is shown
let history = null;                  // its metrics and events

function readAddress() {
  const found = /^#\/([^:]*):?(.*)$/.exec(location.hash);
  if (found) chosen = { run: found[1], phase: found[2] };
}

const address = (run, phase) => `#/${run}${phase ? ':' + phase : ''}`;

// ---- history: points by phase, metric and stage; events ----

function newHistory(run) {
  return { run, last: 0, every: 1, phases: new Map(), events: [], eventsFrom: 1, shown: SHOWN_EVENTS };
}

function within(map, key, make) {
  if (!map.has(key)) map.set(key, make());
  return map.get(key);
}

function addPoint(points, step, y) {
  while (points.length && points[points.length - 1].x >= step) points.pop(); // a job went on from an earlier checkpoint
  points.push({ x: step, y });
  if (points.length > MOST_POINTS) {
    const newest = points.length - 1;
    const kept = points.filter((_, i) => i % 2 === 0 || i === newest);
    points.length = 0;
    points.push(...kept);
  }
}

function addMetric(h, m) {
  const metrics = within(h.phases, m.phase, () => new Map());
  for (const name in m.values) {
    const stages = within(metrics, name, () => new Map());
    addPoint(within(stages, m.stage, () => []), m.step, m.values[name]);
  }
}

function addRecords(h, records, metrics, events) {
  for (const r of records) {
    if (metrics && r.metric) addMetric(h, r.metric);
    if (events && r.event) h.events.push(r);
  }
}

const recordsOf = (h, more) => ask(`/api/runs/${h.run}/records?${new URLSearchParams(more)}`);

async function events(h, from, to) {
  const found = [];
  for (let next = from; next <= to;) {
    const page = await recordsOf(h, { from: next, most: ASK_RECORDS, only: 'events' });
    if (!page || page.next <= next) break;
    found.push(...page.records.filter(r => r.sequence <= to));
    next = page.next;
  }
  return found;
}

// Events among the records before those that were looked at.
async function loadWindow(h) {
  const to = h.eventsFrom - 1, from = Math.max(1, h.eventsFrom - EVENT_WINDOW);
  h.events.unshift(...await events(h, from, to));
  h.eventsFrom = from;
}

// All records of a short run; of a long one a part of the metrics, and the latest events.
async function loadHistory(run, sequence) {
  const h = newHistory(run);
  h.every = Math.ceil(sequence / WHOLE_HISTORY);
  if (h.every > 1) h.every |= 1; // odd, so that metrics which take turns are all there
  for (let next = 1; next <= sequence;) {
    const page = await recordsOf(h, { from: next, most: ASK_RECORDS, every: Math.max(1, h.every) });
    if (!page || page.next <= next) break;
    addRecords(h, page.records.filter(r => r.sequence <= sequence), true, h.every <= 1);
    next = page.next;
  }
  if (h.every > 1) h.eventsFrom = sequence + 1;
  for (let windows = 0; windows < 5 && h.events.length < 20 && h.eventsFrom > 1; windows++) await loadWindow(h);
  h.last = sequence;
  return h;
}

async function loadNew(h, sequence) {
  while (h.last < sequence) {
    const page = await recordsOf(h, { from: h.last + 1, most: ASK_RECORDS });
    if (!page || page.next <= h.last + 1) return;
    addRecords(h, page.records, true, true);
    h.last = page.next - 1;
  }
}

async function loadEarlier(h) {
  h.shown += SHOWN_EVENTS;
  if (h.shown > h.events.length && h.eventsFrom > 1) await loadWindow(h);
}

// ---- runs ----

function showRuns(list) {
  setText($('run-count'), list.left_out ? `newest ${list.runs.length} of ${list.runs.length + list.left_out}` : '');
  reconcile($('run-list'), list.runs, r => r.name, r => element('li', {},
    element('a', { href: address(r.name) }, element('b', { textContent: r.name }), ' ', element('span', { className: 'state' }), element('small'))),
  (li, r) => {
    const a = li.firstChild;
    if (r.name === chosen.run || (status && r.name === status.run.name)) a.setAttribute('aria-current', 'true');
    else a.removeAttribute('aria-current');
    setState(a.children[1], r.state, r.paused);
    const at = r.phase ? `${r.phase} step ${count(r.step)}, ` : '';
    setText(a.children[2], `${at}${r.phases_done} of ${r.phases} phases, ${ago(list.now_ms - r.changed_ms)}`);
  });
}

function showFacts(s) {
  const facts = [['phases', `${s.run.phases_done} of ${s.run.phases} done`], ['jobs', String(s.run.jobs)],
    ['begun', clock(s.run.created_ms)], ['changed', ago(now - s.run.changed_ms)], ['records', count(s.sequence)]];
  reconcile($('facts'), facts, f => f[0], f => element('div', {}, element('dt', { textContent: f[0] }), element('dd')),
    (e, f) => setText(e.children[1], f[1]));
}

// ---- phases ----

const BOX = { width: 168, height: 58, across: 46, down: 14, edge: 2 };

// Columns by the longest way from a phase that waits for none; rows near those of the phases it waits for.
function layout(phases) {
  const byName = new Map(phases.map(p => [p.name, p])), columns = new Map(), places = new Map(), taken = [];
  const column = (p, depth) => {
    if (!columns.has(p.name) && depth <= phases.length)
      columns.set(p.name, Math.max(0, ...p.after.filter(a => byName.has(a)).map(a => column(byName.get(a), depth + 1) + 1)));
    return columns.get(p.name) || 0;
  };
  phases.forEach(p => column(p, 0));
  const deepest = Math.max(0, ...columns.values());
  for (let c = 0; c <= deepest; c++) {
    const wish = p => {
      const rows = p.after.filter(a => places.has(a)).map(a => places.get(a).row);
      return rows.length ? rows.reduce((a, b) => a + b) / rows.length : 0;
    };
    const here = phases.filter(p => columns.get(p.name) === c).map(p => ({ p, wish: wish(p) })).sort((a, b) => a.wish - b.wish);
    let row = 0;
    for (const { p, wish: w } of here) {
      row = Math.max(row, here.length === 1 ? w : Math.floor(w));
      places.set(p.name, { column: c, row });
      taken.push(row++);
    }
  }
  return { places, columns: deepest + 1, rows: Math.max(0, ...taken) + 1 };
}

function placeOf(l, name) {
  const at = l.places.get(name);
  return { x: BOX.edge + at.column * (BOX.width + BOX.across), y: BOX.edge + at.row * (BOX.height + BOX.down) };
}

function drawEdges(svg, l, phases) {
  for (const p of phases)
    for (const a of p.after) {
      if (!l.places.has(a)) continue;
      const from = placeOf(l, a), to = placeOf(l, p.name);
      const x0 = from.x + BOX.width, y0 = from.y + BOX.height / 2, x1 = to.x - 7, y1 = to.y + BOX.height / 2, bend = (x1 - x0) / 2;
      svg.append(drawn('path', { d: `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1} ${y1}` }),
        drawn('path', { class: 'tip', d: `M${x1 - 1} ${y1 - 4}l8 4l-8 4z` }));
    }
}

function drawBox(l, p) {
  const a = drawn('a', { href: address(status.run.name, p.name) }), at = placeOf(l, p.name);
  a.append(drawn('title'), drawn('rect', { class: 'box', x: at.x, y: at.y, width: BOX.width, height: BOX.height, rx: 3 }),
    drawn('text', { x: at.x + 9, y: at.y + 18 }, p.name.length > 24 ? p.name.slice(0, 23) + '…' : p.name),
    drawn('text', { class: 'dim', x: at.x + 9, y: at.y + 34 }),
    drawn('rect', { class: 'track', x: at.x + 9, y: at.y + 44, width: BOX.width - 18, height: 4 }),
    drawn('rect', { class: 'done', x: at.x + 9, y: at.y + 44, width: 0, height: 4 }));
  a.phase = p.name;
  return a;
}

function stepText(p) {
  return p.steps > 0 ? `${count(p.step)} / ${count(p.steps)}` : count(p.step);
}

function updateBox(a, p) {
  const part = p.state === 'done' ? 1 : p.steps > 0 ? Math.min(1, p.step / p.steps) : 0;
  a.setAttribute('class', p.state + (p.name === shownPhase() ? ' chosen' : ''));
  const steps = p.state === 'pending' ? '' : `, ${stepText(p)}`;
  setText(a.children[0], `${p.name} (${p.kind}): ${p.state}${steps}`);
  setText(a.children[3], `${p.state}${steps}`);
  a.children[5].setAttribute('width', (part * (BOX.width - 18)).toFixed(1));
}

function showGraph(phases) {
  const graph = $('graph'), shape = JSON.stringify([status.run.name, phases.map(p => [p.name, p.after])]);
  if (graph.shape !== shape) {
    const l = layout(phases), width = l.columns * (BOX.width + BOX.across) - BOX.across + 2 * BOX.edge;
    const height = l.rows * (BOX.height + BOX.down) - BOX.down + 2 * BOX.edge;
    const svg = drawn('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'graph of phases' });
    drawEdges(svg, l, phases);
    phases.forEach(p => svg.append(drawBox(l, p)));
    graph.replaceChildren(svg);
    graph.shape = shape;
  }
  const byName = new Map(phases.map(p => [p.name, p]));
  for (const a of graph.querySelectorAll('a')) updateBox(a, byName.get(a.phase));
}

function showPhases(phases) {
  reconcile($('phases').tBodies[0], phases, p => p.name, () => {
    const tr = row(['', 'state', 'n', 'n', '', 'n', 'wrap dim']);
    tr.cells[1].className = '';
    tr.cells[1].append(element('span', { className: 'state' }));
    return tr;
  }, (tr, p) => {
    const c = tr.cells, values = p.metric ? Object.entries(p.metric.values) : [];
    tr.className = p.name === shownPhase() ? 'chosen' : '';
    setText(c[0], p.name);
    setState(c[1].firstChild, p.state, false);
    setText(c[2], p.state === 'pending' ? '' : stepText(p));
    setText(c[3], p.epoch ? p.epoch.toFixed(2) : '');
    setText(c[4], values.map(([name, y]) => `${words(name)} ${number(y, name)}`).slice(0, 4).join(', '));
    setText(c[5], p.began_ms ? duration((p.ended_ms || now) - p.began_ms) : '');
    const kept = p.checkpoint ? `step ${count(p.checkpoint.step)}: ${p.checkpoint.path}` : '';
    setText(c[6], [kept, p.text].filter(t => t).join('. '));
  });
}

// The phase whose curves are shown: the one in the address, else one that is active, else the last with metrics.
function shownPhase() {
  if (!status) return '';
  const named = status.phases.find(p => p.name === chosen.phase);
  if (named) return named.name;
  const active = status.phases.find(p => p.state === 'active');
  const measured = status.phases.filter(p => p.metric);
  return (active || measured[measured.length - 1] || status.phases[0] || { name: '' }).name;
}

// ---- curves ----

const PLOT = { height: 150, left: 46, right: 10, top: 8, bottom: 20 };
let cross = null; // the step that is pointed at

// Metrics and their values on test data share a picture.
const chartOf = name => name.replace(/^(test|val|validation)_/, '');

function chartsOf(metrics) {
  const charts = new Map();
  for (const [name, stages] of metrics)
    for (const [stage, points] of stages)
      within(charts, chartOf(name), () => []).push({ label: `${words(name)}${stages.size > 1 && stage ? ` ${stage}` : ''}`, points });
  const first = ['loss', 'accuracy', 'samples_per_s'], rank = n => (first.indexOf(n) + 1) || first.length + 1;
  return [...charts].sort((a, b) => rank(a[0]) - rank(b[0]) || (a[0] < b[0] ? -1 : 1)).slice(0, MOST_CHARTS);
}

function niceTicks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(f => f * power >= raw * 0.7), ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
  return ticks;
}

function tickText(y, name) {
  if (/accuracy/.test(name)) return `${+(100 * y).toPrecision(4)} %`;
  if (Math.abs(y) >= 1e6) return `${+(y / 1e6).toPrecision(4)} M`;
  if (Math.abs(y) >= 1e4) return `${+(y / 1e3).toPrecision(4)} k`;
  return String(+y.toPrecision(4));
}

function rangeOf(lines) {
  const r = { x0: Infinity, x1: -Infinity, y0: Infinity, y1: -Infinity };
  for (const line of lines)
    for (const p of line.points) {
      r.x0 = Math.min(r.x0, p.x);
      r.x1 = Math.max(r.x1, p.x);
      if (p.y === null) continue;
      r.y0 = Math.min(r.y0, p.y);
      r.y1 = Math.max(r.y1, p.y);
    }
  if (!(r.y0 <= r.y1)) [r.y0, r.y1] = [0, 1];
  if (r.y0 === r.y1) [r.y0, r.y1] = [r.y0 - Math.abs(r.y0) / 10 - 1e-9, r.y1 + Math.abs(r.y1) / 10 + 1e-9];
  if (!(r.x0 < r.x1)) [r.x0, r.x1] = [r.x0 - 1, r.x0 + 1];
  return r;
}

// A line's points as pieces without gaps; of more points than pixels, the least and the greatest of each pixel.
function pieces(points, toX, toY) {
  const all = [[]];
  let column = null, low, high;
  const put = p => all[all.length - 1].push(`${toX(p.x).toFixed(1)},${toY(p.y).toFixed(1)}`);
  const flush = () => {
    if (column === null) return;
    (low.x <= high.x ? [low, high] : [high, low]).forEach((p, i) => (i === 0 || low !== high) && put(p));
    column = null;
  };
  for (const p of points) {
    const c = Math.round(toX(p.x));
    if (c !== column || p.y === null) flush();
    if (p.y === null) {
      if (all[all.length - 1].length) all.push([]);
      continue;
    }
    if (column === null) [column, low, high] = [c, p, p];
    else [low, high] = [p.y < low.y ? p : low, p.y > high.y ? p : high];
  }
  flush();
  return all.filter(piece => piece.length);
}

function drawLine(svg, line, index, toX, toY) {
  for (const piece of pieces(line.points, toX, toY)) {
    if (piece.length > 1) svg.append(drawn('polyline', { class: 'l' + index % 6, points: piece.join(' ') }));
    if (piece.length > 1 && line.points.length > 40) continue;
    for (const p of piece) svg.append(drawn('circle', { class: 'l' + index % 6, cx: p.split(',')[0], cy: p.split(',')[1], r: piece.length > 1 ? 1.6 : 2.4 }));
  }
}

function drawAxes(svg, r, name, width, toX, toY) {
  for (const y of niceTicks(r.y0, r.y1, 4))
    svg.append(drawn('line', { class: 'rule', x1: PLOT.left, x2: width - PLOT.right, y1: toY(y), y2: toY(y) }),
      drawn('text', { x: PLOT.left - 6, y: toY(y) + 3.5, 'text-anchor': 'end' }, tickText(y, name)));
  for (const x of niceTicks(r.x0, r.x1, Math.max(3, width / 100)))
    if (Number.isInteger(x))
      svg.append(drawn('text', { x: toX(x), y: PLOT.height - 5, 'text-anchor': toX(x) > width - 24 ? 'end' : 'middle' }, tickText(x, '')));
}

function nearest(points, x) {
  let low = 0, high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].x < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - points[low - 1].x < points[low].x - x ? points[low - 1] : points[low];
}

function drawChart(figure, [name, lines]) {
  const svg = figure.querySelector('svg'), width = Math.max(220, Math.round(figure.clientWidth)), r = rangeOf(lines);
  const toX = x => PLOT.left + (x - r.x0) / (r.x1 - r.x0) * (width - PLOT.left - PLOT.right);
  const toY = y => PLOT.height - PLOT.bottom - (y - r.y0) / (r.y1 - r.y0) * (PLOT.height - PLOT.top - PLOT.bottom);
  Object.assign(figure, { lines, fromX: px => r.x0 + (px * width - PLOT.left) / (width - PLOT.left - PLOT.right) * (r.x1 - r.x0) });
  svg.setAttribute('viewBox', `0 0 ${width} ${PLOT.height}`);
  svg.replaceChildren();
  drawAxes(svg, r, name, width, toX, toY);
  lines.forEach((line, i) => drawLine(svg, line, i, toX, toY));
  const read = lines.map(line => cross === null ? line.points[line.points.length - 1] : nearest(line.points, cross));
  if (cross !== null && cross >= r.x0 && cross <= r.x1)
    svg.append(drawn('line', { class: 'cross', x1: toX(cross), x2: toX(cross), y1: PLOT.top, y2: PLOT.height - PLOT.bottom }));
  const said = read.map((p, i) => `${lines.length > 1 ? lines[i].label + ' ' : ''}${number(p.y, name)}`);
  const at = `step ${count(read[0].x)}`;
  setText(figure.querySelector('.value'), lines.length > 1 ? at : `${said[0]} at ${at}`);
  svg.setAttribute('aria-label', `${words(name)}, ${read.length === 1 ? '' : read.length + ' lines, '}${said.join(', ')} at ${at}`);
  reconcile(figure.querySelector('.key'), lines.length > 1 ? said : [], t => t, () => element('span'), setText);
  [...figure.querySelector('.key').children].forEach((e, i) => { e.className = 'k' + i % 6; });
}

function point(figure, step) {
  cross = step;
  showCurves();
  return figure;
}

function newChart([name]) {
  const svg = drawn('svg', { role: 'img', tabindex: 0 });
  const figure = element('figure', {}, element('figcaption', {}, element('span', { textContent: words(name) }), element('span', { className: 'value' })),
    svg, element('div', { className: 'key' }));
  svg.addEventListener('pointermove', e => {
    const box = svg.getBoundingClientRect();
    point(figure, Math.round(nearest(figure.lines[0].points, figure.fromX((e.clientX - box.left) / box.width)).x));
  });
  svg.addEventListener('pointerleave', () => point(figure, null));
  svg.addEventListener('blur', () => point(figure, null));
  svg.addEventListener('keydown', e => {
    const points = figure.lines[0].points, last = points.length - 1;
    const at = cross === null ? last : points.indexOf(nearest(points, cross));
    const by = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 20, PageDown: at + 20, Home: 0, End: last }[e.key];
    if (e.key === 'Escape') point(figure, null);
    if (by === undefined) return;
    e.preventDefault();
    point(figure, points[Math.min(last, Math.max(0, by))].x);
  });
  return figure;
}

function showCurves() {
  const phase = shownPhase(), metrics = history && history.phases.get(phase);
  const charts = metrics ? chartsOf(metrics) : [];
  setText($('curves-of'), phase ? `of ${phase}${history && history.every > 1 ? `, one record in ${history.every}` : ''}` : '');
  const curves = $('curves');
  reconcile(curves, charts.length ? charts : ['none'], c => c === 'none' ? c : `${status.run.name}:${phase}:${c[0]}`,
    c => c === 'none' ? element('p', { textContent: 'No metric of this phase yet.' }) : newChart(c), () => {});
  charts.forEach((c, i) => drawChart(curves.children[i], c));
}

// ---- ranks, jobs, requests, events ----

function showRanks(jobs) {
  const all = jobs.flatMap(j => j.rank_states.map(r => ({ job: j.id, ...r })));
  const many = all.length > SHOWN_RANKS;
  const shown = many ? all.sort((a, b) => b.lag_ms - a.lag_ms).slice(0, SHOWN_RANKS) : all;
  const most = Math.max(100, ...shown.map(r => r.lag_ms));
  setText($('rank-note'), many ? `${SHOWN_RANKS} of ${all.length}, greatest lag first` : all.length ? '' : 'none has been heard of');
  $('ranks').hidden = all.length === 0;
  reconcile($('ranks').tBodies[0], shown, r => `${r.job}:${r.rank}`, () => {
    const tr = row(['n', '', 'n', 'n', 'n', 'bar']);
    tr.cells[5].append(element('i'));
    return tr;
  }, (tr, r) => {
    [String(r.rank), r.host, String(r.job), count(r.step), lag(r.lag_ms)].forEach((t, i) => setText(tr.cells[i], t));
    tr.cells[4].className = r.lag_ms >= LATE_MS ? 'n late' : 'n';
    tr.cells[5].firstChild.style.width = `${(100 * Math.max(0, r.lag_ms) / most).toFixed(1)}%`;
  });
}

function showJobs(jobs) {
  reconcile($('jobs').tBodies[0], jobs, j => j.id, () => {
    const tr = row(['n', '', '', 'n', 'n', 'wrap', 'n', 'n']);
    tr.cells[1].append(element('span', { className: 'state' }));
    return tr;
  }, (tr, j) => {
    const c = tr.cells, hosts = j.hosts.slice(0, 4).join(', ') + (j.host_count > 4 ? ` and ${j.host_count - 4} more` : '');
    setText(c[0], String(j.id));
    setState(c[1].firstChild, j.state, false);
    setText(c[2], j.phase);
    setText(c[3], j.phase ? count(j.step) : '');
    setText(c[4], String(j.ranks));
    setText(c[5], hosts + (j.instance ? ` (${j.instance})` : ''));
    setText(c[6], ago(now - j.seen_ms));
    setClock(c[7], j.began_ms);
    tr.title = [j.version, `process ${j.process_id}`].filter(t => t).join(', ');
  });
}

function controlText(c) {
  const value = /^set/.test(c.kind) ? ` to ${+c.value.toPrecision(6)}` : '';
  return `${words(c.kind)}${value}${c.step >= 0 ? ` at step ${count(c.step)}` : ''}`;
}

function line() {
  return element('li', {}, element('time'), element('span'), element('span'));
}

function showPending(items) {
  $('pending-section').hidden = items.length === 0;
  reconcile($('pending'), items, c => c.id, line, (li, c) => {
    setClock(li.children[0], c.time_ms);
    setText(li.children[1], controlText(c));
    setText(li.children[2], `by ${c.author}`);
  });
}

function eventText(e) {
  const where = [e.phase, e.step >= 0 && e.phase ? `step ${count(e.step)}` : ''].filter(t => t).join(' ');
  const kept = e.checkpoint ? `${e.checkpoint.path}${e.checkpoint.hash ? ` (${e.checkpoint.hash.slice(0, 12)})` : ''}` : '';
  const parts = [where, e.control ? controlText(e.control) : '', kept, e.text, e.author ? `by ${e.author}` : '', e.job ? `job ${e.job}` : ''];
  return parts.filter(t => t).join(', ');
}

function showEvents(h) {
  const shown = h.events.slice(-h.shown).reverse();
  $('earlier').hidden = h.events.length <= h.shown && h.eventsFrom <= 1;
  setText($('events-of'), h.eventsFrom > 1 ? `since record ${count(h.eventsFrom)}` : '');
  reconcile($('events'), shown, r => r.sequence, line, (li, r) => {
    setClock(li.children[0], r.time_ms);
    setText(li.children[1], words(r.event.kind));
    li.children[1].dataset.kind = r.event.kind;
    setText(li.children[2], eventText(r.event));
  });
}

// ---- the page ----

function showRun() {
  $('nothing').hidden = status !== null;
  $('view').hidden = status === null;
  if (!status) {
    setText($('nothing'), chosen.run ? `There is no run ${chosen.run}.`
      : 'No run yet. A run appears here when a job registers with this coordinator, or when one is submitted.');
    document.title = 'Annulus';
    return;
  }
  const phase = status.phases.find(p => p.state === 'active');
  document.title = `${status.run.name}${phase ? `, ${phase.name} ${stepText(phase)}` : `, ${status.run.state}`}: Annulus`;
  setText($('run-name'), status.run.name);
  setState($('run-state'), status.run.state, status.run.paused);
  showFacts(status);
  showGraph(status.phases);
  showPhases(status.phases);
  showCurves();
  showPending(status.pending);
  showRanks(status.jobs);
  showJobs(status.jobs);
  if (history) showEvents(history);
}

async function refresh() {
  const list = await ask('/api/runs');
  now = list.now_ms;
  const run = chosen.run || (list.runs[0] ? list.runs[0].name : '');
  const answer = /^[\w.-]+$/.test(run) ? await ask(`/api/runs/${run}`) : null;
  if (!answer) history = null;
  else if (!history || history.run !== run || answer.sequence < history.last) history = await loadHistory(run, answer.sequence);
  else await loadNew(history, answer.sequence);
  if (run !== (chosen.run || run)) return; // another one was chosen meanwhile
  status = answer;
  showRuns(list);
  showRun();
}

let timer = 0, asking = false, lostAt = 0;

function showLink(error) {
  const link = $('link');
  if (!error) lostAt = 0;
  else if (!lostAt) lostAt = Date.now();
  link.dataset.state = error ? 'lost' : 'live';
  document.body.classList.toggle('stale', Boolean(error));
  setText(link, !error ? `live at ${location.host}`
    : `${error} What is shown is from ${clock(lostAt)}.`);
}

async function tick() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    await refresh();
    showLink(null);
  } catch (e) {
    showLink(/^\d/.test(e.message) ? `The coordinator answers ${e.message}.` : 'The coordinator cannot be reached.');
  }
  asking = false;
  if (!document.hidden) timer = setTimeout(tick, lostAt ? Math.min(5000, POLL_MS + (Date.now() - lostAt) / 4) : POLL_MS);
}

addEventListener('hashchange', () => {
  readAddress();
  cross = null;
  if (status && status.run.name === chosen.run) showRun();
  tick();
});
addEventListener('visibilitychange', () => { if (!document.hidden) tick(); });
addEventListener('resize', () => { if (status) showCurves(); });
$('earlier').addEventListener('click', async () => {
  const h = history;
  try {
    await loadEarlier(h);
    if (h === history) showEvents(h);
  } catch (e) {
    showLink('The coordinator cannot be reached.');
  }
});
readAddress();
tick();
