import type { TimeView } from './numbers.js';

/** A range of time that can be chosen. */
export interface RangeView {
  name: string;
  href: string;
  current: boolean;
}

/** A figure with a name. */
export interface TileView {
  label: string;
  value: string;
  /** A few words more; empty for none. */
  note: string;
  bad: boolean;
}

/** A plot, as SVG and as a table; the browser replaces it with one from the API. */
export interface PlotView {
  title: string;
  unit: string;
  /** The names of its lines in the API's answer, separated by spaces. */
  fields: string;
  names: { name: string; tone: number }[];
  svg: string;
  rows: { time: string; cells: string[] }[];
}

/** Where the output of apps is sent. */
export interface DrainsView {
  /** Where the forms are sent to. */
  action: string;
  mayChange: boolean;
  /** Of the machine: of all apps. */
  machine: boolean;
  anywhere: boolean;
  list: { id: string; address: string; state: string; bad: boolean }[];
  address: string;
  error: string | undefined;
}

/** What is wrong, and where alerts are sent. */
export interface AlertsView {
  /** Where the forms are sent to. */
  action: string;
  /** Of the machine: with those of all apps. */
  machine: boolean;
  mayChange: boolean;
  problems: { title: string; app: string; text: string; since: TimeView }[];
  destinations: {
    id: string;
    kind: string;
    title: string;
    address: string;
    rules: string;
    /** The last message to it; undefined where there was none. */
    last: { text: string; bad: boolean; time: TimeView } | undefined;
  }[];
  deliveries: {
    title: string;
    lines: string[];
    destination: string;
    state: string;
    bad: boolean;
    note: string;
    time: TimeView;
  }[];
  /** The webhook that was just added: its secret is shown once. */
  made: { title: string; secret: string } | undefined;
  kinds: { name: string; title: string; chosen: boolean }[];
  rules: { name: string; title: string; chosen: boolean }[];
  name: string;
  address: string;
  mails: boolean;
  /** True where the person may add destinations in private networks. */
  anywhere: boolean;
  error: string | undefined;
  field: string | undefined;
}

/** What visitors did on a page of an app. */
export interface PageViewsView {
  name: string;
  views: string;
  runs: string;
  run: string;
}

/** The figures of a release. */
export interface ReleaseMetricsView {
  number: number;
  href: string;
  ran: string;
  cpu: string;
  memory: string;
  highest: string;
  requests: string;
  failed: string;
  median: string;
  p95: string;
  restarts: number;
  exceptions: number;
}
