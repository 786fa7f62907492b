// What a panel may be told of its fields, and what holds where it is told nothing: Grafana's registries.
//
// The packages have the rules; which fields a kind of panel knows is said in Grafana's application, which is no
// package. Those that our boards and the components ask for are listed here, by the names of @grafana/schema.

import {
  FieldColorModeId,
  PanelPlugin,
  ThresholdsMode,
  booleanOverrideProcessor,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import { commonOptionsBuilder } from '@grafana/ui';
import { defaultOptions as bargauge } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import { defaultOptions as stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import { defaultOptions as table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import { defaultFieldConfig as cells } from '@grafana/schema/dist/esm/raw/composable/statushistory/panelcfg/x/StatusHistoryPanelCfg_types.gen';

const NOTHING = () => null;

const property = (id, process, defaultValue, shouldApply = () => true, category = 'Standard') => ({
  id,
  path: id,
  name: id,
  category: [category],
  editor: NOTHING,
  override: NOTHING,
  settings: {},
  process,
  shouldApply,
  defaultValue,
});

// The builders ask for an editor of each kind, though nobody edits anything here.
const EDITORS = ['text', 'number', 'slider', 'boolean', 'select', 'multi-select', 'radio', 'unit', 'color'];
standardEditorsRegistry.setInit(() => EDITORS.map((id) => ({ id, name: id, editor: NOTHING })));

const number = (field) => field.type === 'number';

standardFieldConfigEditorRegistry.setInit(() => [
  property('displayName', displayNameOverrideProcessor),
  property('unit', unitOverrideProcessor),
  property('min', numberOverrideProcessor, undefined, number),
  property('max', numberOverrideProcessor, undefined, number),
  property('fieldMinMax', booleanOverrideProcessor),
  property('decimals', numberOverrideProcessor, undefined, number),
  property('noValue', stringOverrideProcessor),
  property('color', identityOverrideProcessor, { mode: FieldColorModeId.Thresholds }),
  property('thresholds', thresholdsOverrideProcessor, {
    mode: ThresholdsMode.Absolute,
    steps: [
      { value: -Infinity, color: 'green' },
      { value: 80, color: 'red' },
    ],
  }),
  property('mappings', valueMappingsOverrideProcessor, []),
  property('links', dataLinksOverrideProcessor),
]);

const SERIES = { standardOptions: { color: { defaultValue: { mode: FieldColorModeId.PaletteClassic } } } };

const named = (builder, defaults, names) => {
  for (const path of names) {
    builder.addCustomEditor(property(path, identityOverrideProcessor, defaults[path], () => true, 'Panel'));
  }
};

const GRAPH = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  barAlignment: 0,
  barWidthFactor: 0.6,
  spanNulls: false,
  insertNulls: false,
  showPoints: 'auto',
  pointSize: 5,
};

const graph = {
  ...SERIES,
  useCustomConfig: (builder) => {
    named(builder, GRAPH, [...Object.keys(GRAPH), 'fillBelowTo', 'lineStyle', 'barMaxWidth', 'thresholdsStyle']);
    commonOptionsBuilder.addStackingConfig(builder, { mode: 'none', group: 'A' });
    commonOptionsBuilder.addAxisConfig(builder, { axisGridShow: true, axisCenteredZero: false, axisBorderShow: false });
    commonOptionsBuilder.addHideFrom(builder);
  },
};

const COLUMN = { align: 'auto', inspect: false, cellOptions: { type: 'auto' } };

const columns = {
  useCustomConfig: (builder) => {
    named(builder, COLUMN, [...Object.keys(COLUMN), 'width', 'minWidth', 'filterable', 'wrapText', 'wrapHeaderText']);
    named(builder, {}, ['hideFrom.viz', 'hideHeader', 'footer', 'tooltip', 'styleField', 'sortable']);
  },
};

const history = {
  standardOptions: { color: { defaultValue: { mode: FieldColorModeId.Thresholds } } },
  useCustomConfig: (builder) => {
    named(builder, cells, Object.keys(cells));
    commonOptionsBuilder.addHideFrom(builder);
  },
};

const plugin = (id, fieldConfig, defaults = {}) => {
  const made = new PanelPlugin(NOTHING);
  made.meta = { id, name: id };
  made.useFieldConfig(fieldConfig);
  made.setPanelOptions((builder) => {
    for (const [path, defaultValue] of Object.entries(defaults)) {
      builder.addCustomEditor({ id: path, path, name: path, editor: NOTHING, defaultValue });
    }
  });
  return made;
};

export const PLUGINS = {
  stat: plugin('stat', {}, { ...stat, orientation: 'auto' }),
  bargauge: plugin('bargauge', {}, { ...bargauge, orientation: 'auto' }),
  table: plugin('table', columns, table),
  timeseries: plugin('timeseries', graph),
  trend: plugin('trend', graph),
  'status-history': plugin('status-history', history),
};
