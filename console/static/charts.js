// Draws the charts of a page from the JSON beside them. Numbers also stand in tables, for whoever cannot see them.
"use strict";

const LIBRARY = "/static/vendor/echarts.common.min.js";
const charts = [];
let library; // on its way, or there

// The library is large: only a page with charts asks for it, and nothing of the page waits for it.
function loaded() {
  library ??= new Promise((there) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.onload = there;
    script.onerror = () => { library = undefined; }; // the next time that charts are drawn asks again
    document.head.append(script);
  });
  return library;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function share(value) {
  return `${Math.round(value * 100)} %`;
}

function day(value) {
  return new Date(value).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

// What all charts share. Tooltips are drawn, not HTML: the page's policy allows no inline styles.
function frame(axes) {
  const text = { color: colour("soft"), fontFamily: "inherit", fontSize: 12 };
  return {
    animation: false,
    aria: { enabled: false },
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    legend: { top: 0, left: 0, itemWidth: 16, itemHeight: 8, icon: "roundRect", textStyle: text },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      backgroundColor: colour("panel"),
      borderColor: colour("line"),
      textStyle: { color: colour("ink"), fontSize: 12 },
      axisPointer: { lineStyle: { color: colour("line") } },
    },
    ...axes(text, { lineStyle: { color: colour("track") } }),
  };
}

// On a phone the legend takes two lines.
function underLegend() {
  return window.innerWidth < 480 ? 58 : 36;
}

// Mondays, every so many weeks that there are at most nine: left alone, the library adds firsts of months between them.
function mondays(from, to) {
  const week = 7 * 86400e3;
  const first = Math.ceil((Date.parse(from) - 4 * 86400e3) / week) * week + 4 * 86400e3; // day 0 was a Thursday
  const all = [];
  for (let at = first; at <= Date.parse(to); at += week) all.push(at);
  const step = Math.max(1, Math.ceil(all.length / 9));
  return all.filter((_, place) => place % step === 0);
}

function timeAxis(text, from, to, extra) {
  return {
    type: "time",
    min: from,
    max: to,
    axisLine: { lineStyle: { color: colour("line") } },
    axisTick: { show: true, length: 4, lineStyle: { color: colour("line") }, customValues: mondays(from, to) },
    axisLabel: { ...text, formatter: day, hideOverlap: true, customValues: mondays(from, to) },
    ...extra,
  };
}

function engagement(days) {
  const part = (name) => days.filter((one) => one.enrolled).map((one) => [one.day, one[name] / one.enrolled]);
  const line = (name, title, hue, width) => ({
    name: title, type: "line", data: part(name), showSymbol: false, smooth: 0.25,
    lineStyle: { width, color: hue }, itemStyle: { color: hue },
    tooltip: { valueFormatter: share },
  });
  return frame((text, split) => ({
    grid: { left: 44, right: 12, top: 36, bottom: 28 },
    xAxis: timeAxis(text, days[0].day, days[days.length - 1].day),
    yAxis: { type: "value", min: 0, max: 1, axisLabel: { ...text, formatter: share }, splitLine: split },
    series: [
      line("active_7", "active within 7 days", colour("accent"), 2.5),
      line("active", "active on the day", colour("medium"), 1.5),
    ],
  }));
}

function learner(story, until) {
  const estimates = story.history.map((one) => [one.day, one.probability]);
  // An estimate that did not move is not kept: the last one holds to the newest day, for a week at most.
  const [held, at] = estimates[estimates.length - 1];
  const week = new Date(Date.parse(held) + 7 * 86400e3).toISOString().slice(0, 10);
  const now = until > week ? week : until;
  if (now > held) estimates.push([now, at]);
  const changes = story.changes.map((one) => ({
    value: [one.day, one.probability], itemStyle: { color: colour(one.level) },
  }));
  const days = [...estimates.map((one) => one[0]), ...story.activity.map((one) => one.day)].sort();
  const [first, last] = [days[0], days[days.length - 1]];
  const middle = (Date.parse(first) + Date.parse(last)) / 2;
  const sent = story.decisions
    .filter((one) => one.decision === "send")
    .map((one) => one.decided_at.slice(0, 10))
    .map((at) => ({ xAxis: at, label: { align: Date.parse(at) > middle ? "right" : "left" } }));
  return frame((text, split) => ({
    grid: [{ left: 44, right: 14, top: underLegend(), height: "44%" }, { left: 44, right: 14, bottom: 28, height: "24%" }],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    xAxis: [
      timeAxis(text, first, last, { axisLabel: { show: false } }),
      timeAxis(text, first, last, { gridIndex: 1 }),
    ],
    yAxis: [
      { type: "value", min: 0, max: 1, axisLabel: { ...text, formatter: share }, splitLine: split },
      { type: "value", gridIndex: 1, minInterval: 1, splitNumber: 2, axisLabel: text, splitLine: split },
    ],
    series: [
      {
        name: "likely not to complete", type: "line", data: estimates, showSymbol: false, step: "end",
        lineStyle: { width: 2, color: colour("accent") }, itemStyle: { color: colour("accent") },
        areaStyle: { color: colour("accent"), opacity: 0.08 }, tooltip: { valueFormatter: share },
        markLine: {
          symbol: ["none", "none"], silent: true, data: sent,
          lineStyle: { color: colour("soft"), type: "dashed" }, label: { formatter: "message", color: colour("soft") },
        },
      },
      {
        name: "change of level", type: "scatter", data: changes, symbolSize: 11,
        itemStyle: { color: colour("high") }, tooltip: { valueFormatter: share },
      },
      {
        name: "clicks a day", type: "bar", xAxisIndex: 1, yAxisIndex: 1, barMaxWidth: 9,
        data: story.activity.map((one) => [one.day, one.clicks]), itemStyle: { color: colour("low") },
      },
    ],
  }));
}

const OPTIONS = { engagement, learner };

async function drawCharts() {
  if (document.querySelector("[data-chart]")) await loaded();
  while (charts.length) charts.pop().dispose();
  for (const place of document.querySelectorAll("[data-chart]")) {
    const data = document.querySelector(`script[data-for="${place.dataset.chart}"]`);
    const chart = echarts.init(place, null, { renderer: "canvas" });
    chart.setOption(OPTIONS[place.dataset.chart](JSON.parse(data.textContent), place.dataset.until || ""));
    charts.push(chart);
  }
}

// What is wider than the page begins with its newest end.
function showNewest() {
  for (const one of document.querySelectorAll("[data-newest]")) one.scrollLeft = one.scrollWidth;
}

function draw() {
  drawCharts();
  showNewest();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", draw);
else draw();
document.addEventListener("swapped", draw);
window.addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
