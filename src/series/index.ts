export type {
  Counter,
  CounterFamily,
  FamilyDefinition,
  GaugeFamily,
  Histogram,
  HistogramFamily,
  SeriesMetric,
  SeriesRow,
  SeriesStore,
} from "./series.js";
export { createSeriesStore, type SeriesStoreOptions } from "./store.js";
