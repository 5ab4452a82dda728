export type {
  Counter,
  CounterFamily,
  FamilyDefinition,
  Histogram,
  HistogramFamily,
  SeriesMetric,
  SeriesRow,
  SeriesStore,
} from "./series.js";
export { createSeriesStore } from "./store.js";
