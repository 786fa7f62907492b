// The panels, drawn by Grafana's components as its own panels do: one function of a kind, data in, elements out.

import React from 'react';
import { fieldMatchers, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, PanelChrome, TimeSeries, VizRepeater, preparePlotFrame } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const SPACING = { gradient: 10, basic: 10, lcd: 2 };

function values({ frames, fieldConfig, options, theme, replaceVariables }) {
  return getFieldDisplayValues({
    fieldConfig,
    reduceOptions: options.reduceOptions,
    replaceVariables,
    theme,
    data: frames,
    sparkline: false,
    timeZone: 'utc',
  });
}

const Repeated = ({ panel, width, height, render, spacing }) => (
  <VizRepeater
    getValues={() => values(panel)}
    getAlignmentFactors={getDisplayValueAlignmentFactors}
    renderValue={render}
    width={width}
    height={height}
    source={panel.frames}
    itemSpacing={spacing}
    renderCounter={0}
    autoGrid={true}
    orientation={panel.options.orientation}
    minVizWidth={panel.options.minVizWidth}
    minVizHeight={panel.options.minVizHeight}
    maxVizHeight={panel.options.maxVizHeight}
  />
);

function Stat(panel, width, height) {
  const { options, theme } = panel;
  const render = ({ value, alignmentFactors, width, height, count, orientation }) => (
    <BigValue
      value={value.display}
      count={count}
      colorMode={options.colorMode}
      graphMode={options.graphMode}
      justifyMode={options.justifyMode}
      textMode={options.textMode}
      alignmentFactors={alignmentFactors}
      parentOrientation={orientation}
      text={options.text}
      wideLayout={options.wideLayout}
      width={width}
      height={height}
      theme={theme}
    />
  );
  return <Repeated panel={panel} width={width} height={height} render={render} spacing={3} />;
}

function Bars(panel, width, height) {
  const { options, theme } = panel;
  const spacing = SPACING[options.displayMode];
  const render = ({ value, alignmentFactors, width, height, orientation }) => (
    <BarGauge
      value={value.display}
      field={value.field}
      display={value.view?.getFieldDisplayProcessor(value.colIndex)}
      text={options.text}
      width={width}
      height={height}
      orientation={orientation}
      theme={theme}
      itemSpacing={spacing}
      lcdCellWidth={12}
      displayMode={options.displayMode}
      alignmentFactors={alignmentFactors}
      showUnfilled={options.showUnfilled}
      valueDisplayMode={options.valueMode}
      namePlacement={options.namePlacement}
    />
  );
  return <Repeated panel={panel} width={width} height={height} render={render} spacing={spacing} />;
}

function Table(panel, width, height) {
  return (
    <TableNG
      data={panel.frames[0]}
      width={width}
      height={height}
      noHeader={!panel.options.showHeader}
      cellHeight={panel.options.cellHeight}
      showTypeIcons={panel.options.showTypeIcons}
      fieldConfig={panel.fieldConfig}
      timeRange={panel.timeRange}
      replaceVariables={panel.replaceVariables}
      enableVirtualization={false}
      structureRev={1}
    />
  );
}

function Lines(panel, width, height, prepare) {
  return (
    <TimeSeries
      frames={panel.frames}
      structureRev={1}
      timeRange={panel.timeRange}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      options={panel.options}
      preparePlotFrame={prepare}
    >
      {(config) => {
        config.addHook('draw', panel.plotted);
        return null;
      }}
    </TimeSeries>
  );
}

function Trend(panel, width, height) {
  const x = fieldMatchers.get('byName').get(panel.options.xField);
  return Lines(panel, width, height, (frames, by) => preparePlotFrame(frames, { ...by, x }));
}

export const DRAWN = { stat: Stat, bargauge: Bars, table: Table, timeseries: Lines, trend: Trend };

class Watched extends React.Component {
  state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  componentDidCatch(error) {
    this.props.onCrash(error);
  }

  render() {
    return this.state.failed ? null : this.props.children;
  }
}

// A panel in its frame. Where there are no rows Grafana says so instead of drawing.
export function Panel({ panel, width, height, onCrash }) {
  const empty = !panel.frames.some((frame) => frame.length > 0);
  const draw = DRAWN[panel.type];
  return (
    <PanelChrome
      title={panel.title}
      description={panel.description}
      width={width}
      height={height}
      padding={panel.type === 'table' ? 'none' : 'md'}
    >
      {(innerWidth, innerHeight) => (
        <Watched onCrash={onCrash}>{empty ? <p>No data</p> : draw(panel, innerWidth, innerHeight)}</Watched>
      )}
    </PanelChrome>
  );
}
