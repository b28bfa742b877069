// The canvas of a chart: uPlot draws the lines, this what stands behind them. Loaded only where a chart is shown.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { axisTexts, type Chart, type Mark } from "../chart.ts";
import { ticks } from "../ticks.ts";

export interface PlotProps {
  readonly chart: Chart;
  readonly zone: string;
  /** Which bucket is read out. */
  readonly place: number | null;
  readonly onPlace: (place: number | null) => void;
  /** In milliseconds; null for the whole of it. */
  readonly onZoom: (span: { readonly from: number; readonly to: number } | null) => void;
  /** Whatever else colours depend on. */
  readonly theme: string;
}

const HEIGHT = 300;
const NARROW = 480;

export default function Plot(props: PlotProps): JSX.Element {
  const { chart, zone, place, theme } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const made = new uPlot(options(element.clientWidth, chart, zone, latest), data(chart), element);
    plot.current = made;
    const resized = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    resized.observe(element);
    const reset = () => {
      latest.current.onZoom(null);
    };
    element.addEventListener("dblclick", reset);
    performance.mark("baseflow-chart-drawn");
    return () => {
      resized.disconnect();
      element.removeEventListener("dblclick", reset);
      made.destroy();
      plot.current = null;
    };
  }, [chart, zone, theme]);
  useEffect(() => {
    const made = plot.current;
    const time = place === null ? undefined : chart.columns.times[place];
    if (made === null || time === undefined) return;
    made.setCursor({ left: made.valToPos(time, "x"), top: 0 }, false);
  }, [place, chart]);
  return <div ref={box} class="plot" />;
}

function data({ columns }: Chart): uPlot.AlignedData {
  const copied = (column: readonly (number | null)[]) => [...column];
  return [[...columns.times], copied(columns.low), copied(columns.high), copied(columns.mean)];
}

function options(width: number, chart: Chart, zone: string, latest: { readonly current: PlotProps }): uPlot.Options {
  const colours = palette();
  const axis = { stroke: colours.muted, grid: { stroke: colours.line, width: 1 }, ticks: { stroke: colours.line, width: 1 } };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [12, 26, 0, 0],
    scales: {
      x: { time: true, range: () => [chart.from, chart.to] },
      y: { range: () => [0, chart.top === 0 ? 1 : chart.top * 1.12] },
    },
    axes: [
      { ...axis, font, size: 34, ...moments(chart, zone) },
      { ...axis, font, size: 58, values: (_made, splits) => axisTexts(splits) },
    ],
    series: [
      {},
      { stroke: "transparent", width: 0, points: { show: false } },
      { stroke: "transparent", width: 0, points: { show: false } },
      { stroke: colours.flow, width: 1.75, points: { show: chart.columns.times.length < 40 }, spanGaps: false },
    ],
    bands: [{ series: [2, 1], fill: colours.band }],
    cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false } },
    hooks: {
      drawClear: [(made) => { behind(made, chart, colours); }],
      draw: [(made) => {
        mandate(made, chart.required, colours.required, [6, 4]);
        mandate(made, chart.enough, colours.required, [2, 3]);
        doubts(made, chart.doubted, colours.muted);
      }],
      setCursor: [(made) => {
        const isOver = (made.cursor.left ?? -1) >= 0;
        const place = isOver ? (made.cursor.idx ?? null) : null;
        if (place !== null && place !== latest.current.place) latest.current.onPlace(place);
      }],
      setSelect: [(made) => {
        const { left, width: chosen } = made.select;
        if (chosen < 8) return;
        const moment = (at: number) => Math.round(made.posToVal(at, "x") * 1000);
        made.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        latest.current.onZoom({ from: moment(left), to: moment(left + chosen) });
      }],
    },
  };
}

/** The axis of time: where it is split, and what stands there. */
function moments(chart: Chart, zone: string): Pick<uPlot.Axis, "splits" | "values"> {
  const room = (made: uPlot) => Math.floor(made.width / (made.width < NARROW ? 70 : 90));
  // found where it is split, which comes first
  let texts: ReadonlyMap<number, string> = new Map();
  return {
    splits: (made) => {
      texts = new Map(ticks(chart.from * 1000, chart.to * 1000, zone, room(made)).map(({ at, text }) => [at / 1000, text]));
      return [...texts.keys()];
    },
    values: (_made, splits) => splits.map((split) => texts.get(split) ?? ""),
  };
}

interface Palette {
  readonly flow: string;
  readonly band: string;
  readonly required: string;
  readonly breach: string;
  readonly gap: string;
  readonly exempt: string;
  readonly line: string;
  readonly muted: string;
}

/** The tokens that hold at the moment. */
function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    flow: token("flow"),
    band: token("flow-band"),
    required: token("required"),
    breach: token("breach-band"),
    gap: token("gap"),
    exempt: token("exempt-band"),
    line: token("line-soft"),
    muted: token("muted"),
  };
}

/** What stands behind the lines: times below the mandate, times without data, times that are excused. */
function behind(made: uPlot, chart: Chart, colours: Palette): void {
  for (const mark of chart.exemptions) fill(made, mark, colours.exempt);
  for (const mark of chart.breaches) fill(made, mark, colours.breach);
  for (const mark of chart.gaps) hatch(made, mark, colours.gap);
}

/** So wide at least, in pixels: a short one of a long year must be seen, too. */
const NARROWEST = 3;

function extent(made: uPlot, mark: Mark<unknown>): { left: number; width: number } {
  const { left: begin, width: all } = made.bbox;
  const left = Math.max(begin, made.valToPos(mark.from, "x", true));
  const right = Math.min(begin + all, made.valToPos(mark.to, "x", true));
  return { left, width: right < left ? 0 : Math.max(NARROWEST * devicePixelRatio, right - left) };
}

function fill(made: uPlot, mark: Mark<unknown>, colour: string): void {
  const { left, width } = extent(made, mark);
  made.ctx.fillStyle = colour;
  made.ctx.fillRect(left, made.bbox.top, width, made.bbox.height);
}

function hatch(made: uPlot, mark: Mark<unknown>, colour: string): void {
  const { ctx, bbox } = made;
  const { left, width } = extent(made, mark);
  if (width === 0) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  const step = 8 * devicePixelRatio;
  ctx.beginPath();
  for (let x = left - bbox.height - (left % step); x < left + width; x += step) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}

/** A cross at the foot of the chart for each bucket with readings that nobody can vouch for. */
function doubts(made: uPlot, times: readonly number[], colour: string): void {
  const { ctx, bbox } = made;
  const [size, foot] = [3 * devicePixelRatio, bbox.top + bbox.height - 7 * devicePixelRatio];
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.beginPath();
  for (const time of times) {
    const x = made.valToPos(time, "x", true);
    ctx.moveTo(x - size, foot - size);
    ctx.lineTo(x + size, foot + size);
    ctx.moveTo(x + size, foot - size);
    ctx.lineTo(x - size, foot + size);
  }
  ctx.stroke();
  ctx.restore();
}

/** The mandate as the steps that it has, over the lines. */
function mandate(made: uPlot, steps: readonly Mark<number>[], colour: string, dashes: readonly number[]): void {
  const { ctx, bbox } = made;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.75 * devicePixelRatio;
  ctx.setLineDash(dashes.map((dash) => dash * devicePixelRatio));
  ctx.beginPath();
  for (const step of steps) {
    const { left, width } = extent(made, step);
    const y = made.valToPos(step.of, "y", true);
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
  }
  ctx.stroke();
  ctx.restore();
}
