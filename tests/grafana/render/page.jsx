// Draws a board with Grafana's own code, and says of each panel what is wrong with it: window.draw(board).
//
// Asked: {width, height, meanings, panels: [{panel, frames, from, to, left, top, width, height}]}, sizes in pixels,
// `panel` as in the board's JSON, `frames` as Grafana's server sends them, `meanings` a colour for each name that
// means the same everywhere. Answered: [{title, type, drawn, problems}] in the same order.

import React from 'react';
import { createRoot } from 'react-dom/client';
import {
  ThemeContext,
  applyFieldOverrides,
  createTheme,
  dataFrameFromJSON,
  dateTime,
  getPanelOptionsWithDefaults,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles } from '@grafana/ui';
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';

import { ofDrawing, ofMatchers, ofSettings, ofValues } from './checks.js';
import { DRAWN, Panel } from './panels.jsx';
import { PLUGINS } from './plugins.js';

const theme = createTheme({ colors: { mode: 'dark' } });
const ready = Promise.all([initPluginTranslations('homeroom', []), document.fonts.load('14px Inter'), document.fonts.load('500 14px Inter')]);
const replaceVariables = (text) => text;
let root;

// A panel with what Grafana makes of its settings and of the rows of its query.
function resolved({ panel, frames, from, to }) {
  const plugin = PLUGINS[panel.type];
  const { options, fieldConfig } = getPanelOptionsWithDefaults({
    plugin,
    currentOptions: panel.options,
    currentFieldConfig: structuredClone(panel.fieldConfig),
    isAfterPluginChange: false,
  });
  const data = applyFieldOverrides({
    data: frames.map(dataFrameFromJSON),
    fieldConfig,
    fieldConfigRegistry: plugin.fieldConfigRegistry,
    replaceVariables,
    theme,
    timeZone: 'utc',
  });
  const [start, end] = [dateTime(from), dateTime(to)];
  const timeRange = { from: start, to: end, raw: { from: start, to: end } };
  return { ...panel, options, fieldConfig, frames: data, theme, timeRange, replaceVariables };
}

function prepared(asked, meanings) {
  const problems = new Set();
  const panel = resolved(asked);
  const raw = asked.frames.map(dataFrameFromJSON);
  const one = { asked, panel, problems, plot: null, drawn: panel.type in DRAWN };
  panel.plotted = (plot) => (one.plot = plot);
  const registry = PLUGINS[panel.type].fieldConfigRegistry;
  ofSettings(asked.panel, panel.fieldConfig, registry).forEach((text) => problems.add(text));
  if (raw.some((frame) => frame.length)) {
    ofMatchers(asked.panel, raw).forEach((text) => problems.add(text));
  }
  ofValues(panel, meanings).forEach((text) => problems.add(text));
  return one;
}

// Until nothing has changed for three frames of the screen in a row.
async function quiet(element) {
  let changes = 1;
  const observer = new MutationObserver(() => (changes += 1));
  observer.observe(element, { subtree: true, childList: true, attributes: true, characterData: true });
  for (let still = 0; still < 3; still = changes ? 0 : still + 1) {
    changes = 0;
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  }
  observer.disconnect();
}

const Board = ({ panels }) => (
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    {panels.map(({ asked, panel, problems, drawn }) => {
      const { left, top, width, height } = asked;
      return (
        <div key={panel.id} id={`panel-${panel.id}`} style={{ position: 'absolute', left, top, width, height }}>
          {drawn && (
            <Panel
              panel={panel}
              width={width}
              height={height}
              onCrash={(error) => problems.add(`crash: ${error}`)}
            />
          )}
        </div>
      );
    })}
  </ThemeContext.Provider>
);

window.draw = async ({ width, height, meanings, panels }) => {
  await ready;
  const all = panels.map((asked) => prepared(asked, meanings));
  const place = document.getElementById('board');
  root?.unmount();
  Object.assign(place.style, { position: 'relative', width: `${width}px`, height: `${height}px` });
  root = createRoot(place);
  root.render(<Board panels={all} />);
  await quiet(place);
  return all.map(({ panel, problems, plot, drawn }) => {
    if (drawn) {
      const element = document.getElementById(`panel-${panel.id}`);
      ofDrawing(panel, element, plot).forEach((text) => problems.add(text));
    }
    return { title: panel.title, type: panel.type, drawn, problems: [...problems] };
  });
};
