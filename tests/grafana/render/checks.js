// What is wrong with a panel: of its settings and values as Grafana resolves them, and of what it drew.

import { FieldType, fieldMatchers, getFieldDisplayName, getFieldSeriesColor } from '@grafana/data';

const CHARTS = new Set(['timeseries', 'trend', 'status-history']);
const BASE = -Infinity;
const CLEAR = new Set(['transparent', '#00000000']);

// Words in a series' name that say its unit, and how Grafana writes that unit. A digit before: a class of values.
const UNITS = [
  [/(?<!\d )\bminutes?\b/, ['m']],
  [/(?<!\d )\bhours?\b/, ['h']],
  [/(?<!\d )\bdays?\b/, ['suffix: days']],
  [/\bseconds?\b/, ['s']],
  [/\bshare\b/, ['percentunit']],
];

const shown = (field, frame) => field.config.custom?.hideFrom?.viz !== true && (field.type !== FieldType.time);
const finite = (value) => typeof value === 'number' && Number.isFinite(value);

// Paths of a nested setting that are not there any more.
function lost(asked, kept, path = '') {
  return Object.entries(asked ?? {}).flatMap(([name, value]) => {
    const here = path ? `${path}.${name}` : name;
    if (kept == null || !(name in kept)) {
      return [here];
    }
    return value && typeof value === 'object' && !Array.isArray(value) ? lost(value, kept[name], here) : [];
  });
}

export function ofSettings(json, fieldConfig, registry) {
  const unknown = json.fieldConfig.overrides
    .flatMap((rule) => rule.properties.map((one) => one.id))
    .filter((id) => !registry.getIfExists(id));
  return [
    ...lost(json.fieldConfig.defaults, fieldConfig.defaults).map((path) => `setting ${path} is not known`),
    ...unknown.map((id) => `override of ${id}, which is not known`),
  ];
}

export function ofMatchers(json, raw) {
  return json.fieldConfig.overrides
    .filter((rule) => {
      const match = fieldMatchers.get(rule.matcher.id).get(rule.matcher.options);
      return !raw.some((frame) => frame.fields.some((field) => match(field, frame, raw)));
    })
    .map((rule) => `override ${rule.matcher.id} ${JSON.stringify(rule.matcher.options)} matches no field`);
}

export function ofValues(panel, meanings) {
  const found = [];
  for (const frame of panel.frames) {
    for (const field of frame.fields.filter((one) => shown(one, frame))) {
      const name = getFieldDisplayName(field, frame, panel.frames);
      const say = (text) => found.push(`${name}: ${text}`);
      if (field.type === FieldType.number) {
        numbers(panel, field, say);
        units(panel, field, name, say);
        if (CHARTS.has(panel.type)) {
          series(panel, field, name, meanings, say);
        }
        if (panel.type === 'table') {
          empty(field, say);
        }
      } else if (field.type === FieldType.string) {
        words(field, meanings, say);
      }
    }
  }
  return found;
}

function numbers(panel, field, say) {
  const { min = -Infinity, max = Infinity } = field.config;
  const outside = field.values.filter((value) => finite(value) && (value < min || value > max));
  if (outside.length) {
    say(`${outside.length} of ${field.values.length} values are outside ${min} to ${max}`);
  }
  // What a chart holds within bounds it does not show beyond them; softly it does.
  const x = panel.options.xField === field.name;
  if (panel.type === 'timeseries' && (field.config.min != null || field.config.max != null) && !x) {
    say('a bound that hides what is beyond it');
  }
}

function units(panel, field, name, say) {
  const words = name.replaceAll('_', ' ');
  const unit = field.config.unit ?? 'none';
  for (const [pattern, right] of UNITS) {
    if (panel.type !== 'table' && pattern.test(words) && !right.includes(unit)) {
      say(`its unit is ${unit}, not ${right}`);
    }
  }
  const steps = (field.config.thresholds?.steps ?? []).map((step) => step.value).filter((value) => value > BASE);
  if (panel.type === 'stat' && steps.length) {
    const written = steps.flatMap((step) => [0.3, 1, 4].map((times) => field.display(step * times)));
    const suffixes = new Set(written.map((value) => (value.suffix ?? '').replace(/^ ?(K|Mil)$/, '').trim().replace(/s$/, '')));
    if (suffixes.size > 1) {
      say(`thresholds and values are written in different units: ${[...suffixes]}`);
    }
  }
}

function empty(field, say) {
  const painted = field.config.custom?.cellOptions?.type === 'color-background';
  if (painted && !CLEAR.has(field.display(null).color)) {
    say('a cell without a value is painted as if it had one');
  }
}

function series(panel, field, name, meanings, say) {
  const labels = Object.values(field.labels ?? {});
  if (labels.length && name !== labels.join(' ')) {
    say(`a series of ${labels.join(' ')} is named so`);
  }
  // Of a text column only these two hold names that the boards give colours; a reason may be named as a state is.
  const known = labels.length === 0 || ['level', 'model_state'].some((label) => label in field.labels);
  const x = panel.options.xField === field.name;
  const meant = known && !x ? meanings[name] : undefined;
  const colour = getFieldSeriesColor(field, panel.theme).color;
  if (panel.type !== 'status-history' && meant && colour !== panel.theme.visualization.getColorByName(meant)) {
    say(`is drawn in ${colour}, and means ${meant}`);
  }
}

function words(field, meanings, say) {
  const wrong = new Set(
    field.values.filter((value) => ['low', 'medium', 'high'].includes(value)).filter((value) => {
      const palette = { low: meanings.low, medium: meanings.medium, high: meanings.high };
      return !field.config.mappings?.some((one) => one.options?.[value]?.color === palette[value]);
    })
  );
  if (wrong.size) {
    say(`${[...wrong]} without their colours`);
  }
}

const cut = (element) =>
  element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 4;

// Whether something in it goes beyond it, which a browser does not count where it clips.
function beyond(element) {
  const { left, right } = element.getBoundingClientRect();
  return [...element.querySelectorAll('button, a, span, div')]
    .filter((one) => one.textContent.trim())
    .map((one) => one.getBoundingClientRect())
    .some((box) => box.left < left - 1 || box.right > right + 1);
}

export function ofDrawing(panel, root, plot) {
  const found = [];
  const title = root.querySelector('h2');
  if (title && cut(title)) {
    found.push('its title is cut');
  }
  if (/No data/.test(root.textContent)) {
    found.push('No data');
  }
  if (panel.type === 'table') {
    found.push(...ofColumns(root));
  }
  if (panel.type === 'timeseries' || panel.type === 'trend') {
    found.push(...ofPlot(panel, plot));
  }
  if (panel.type === 'stat' || panel.type === 'bargauge') {
    found.push(...ofTexts(root));
  }
  return found;
}

function ofTexts(root) {
  const frame = root.getBoundingClientRect();
  const texts = [...root.querySelectorAll('span, div')].filter((one) => one.children.length === 0 && one.textContent.trim());
  return texts
    .filter((one) => {
      const box = one.getBoundingClientRect();
      return box.right > frame.right + 1 || box.bottom > frame.bottom + 1 || cut(one);
    })
    .map((one) => `${JSON.stringify(one.textContent)} is cut`);
}

function ofColumns(root) {
  const grid = root.querySelector('[role=grid]');
  if (!grid) {
    return ['no table was drawn'];
  }
  const found = [];
  if (grid.scrollWidth > grid.clientWidth + 1) {
    found.push(`its columns take ${grid.scrollWidth} of ${grid.clientWidth} pixels`);
  }
  const heads = [...grid.querySelectorAll('[role=columnheader]')];
  const names = heads.map((head) => head.textContent.trim());
  heads.forEach((head, at) => {
    if (beyond(head)) {
      found.push(`column ${names[at]}: its head is cut`);
    }
  });
  const clipped = new Map();
  for (const cell of grid.querySelectorAll('[role=gridcell]')) {
    if (cut(cell) || beyond(cell) || [...cell.querySelectorAll('*')].some(cut)) {
      const name = names[Number(cell.getAttribute('aria-colindex')) - 1];
      const need = Math.max(...[cell, ...cell.querySelectorAll('*')].map((one) => one.scrollWidth));
      const [worst = 0] = clipped.get(name) ?? [];
      clipped.set(name, need > worst ? [need, cell.clientWidth, cell.textContent] : clipped.get(name));
    }
  }
  for (const [name, [need, has, text]] of clipped) {
    found.push(`column ${name}: ${JSON.stringify(text)} needs ${need} of ${has} pixels`);
  }
  return found;
}

function ofPlot(panel, plot) {
  if (!plot) {
    return ['nothing was plotted'];
  }
  const scales = new Set();
  const found = [];
  let within = 0;
  let beyond = 0;
  const [xs] = plot.data;
  plot.series.slice(1).forEach((one, at) => {
    scales.add(one.scale);
    const values = plot.data[at + 1];
    const joined = values.some((value, index) => finite(value) && finite(values[index + 1]));
    if (panel.fieldConfig.defaults.custom.showPoints === 'never' && values.some(finite) && !joined) {
      found.push('a lone point is not drawn');
    }
    const { min, max } = plot.scales[one.scale];
    values.forEach((value, index) => {
      if (finite(value) && xs[index] >= plot.scales.x.min && xs[index] <= plot.scales.x.max) {
        value >= min - 1e-9 && value <= max + 1e-9 ? (within += 1) : (beyond += 1);
      } else if (finite(value)) {
        beyond += 1;
      }
    });
  });
  if (within === 0) {
    found.push('no point was plotted');
  }
  if (beyond > 0) {
    found.push(`${beyond} of ${within + beyond} points are beyond its axes`);
  }
  if (scales.size > 1) {
    found.push(`has ${scales.size} axes: ${[...scales]}`);
  }
  return found;
}
