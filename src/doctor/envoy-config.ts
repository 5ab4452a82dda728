import type { Path } from "../diagnostics/index.js";
import type { Tree } from "./tree.js";
import type { Extension } from "./typed.js";

/** What of an Envoy's configuration decides whether policy acts. */
export interface EnvoyConfig {
  /** Undefined where a dump lacks it. */
  readonly bootstrap: Tree | undefined;
  readonly listeners: readonly Listener[];
  readonly clusters: ReadonlyMap<string, Tree>;
  /** Endpoints of clusters that have them from EDS, by the cluster's name; only a dump has them. */
  readonly endpoints: ReadonlyMap<string, Tree>;
  readonly missing: readonly Missing[];
}

/** What a control plane says and this document does not. */
export interface Missing {
  /** `listeners come`: goes on with `from elsewhere`. */
  readonly what: string;
  readonly path: Path;
  /** It may be one that asks for decisions. */
  readonly isFilter?: true;
}

/** One listener. */
export interface Listener {
  readonly name: string;
  readonly tree: Tree;
  readonly chains: readonly Chain[];
}

/** One filter chain of a listener. */
export interface Chain {
  readonly tree: Tree;
  /** Of the chain's TLS: none, without, or with certificates of clients. */
  readonly tls: "none" | "server" | "mutual";
  readonly filters: readonly Filter[];
  /** The connection managers among the filters. */
  readonly managers: readonly Manager[];
}

/** A filter in its place. */
export interface Filter extends Extension {
  /** As settings of routes name it. */
  readonly name: string;
  readonly tree: Tree;
}

/** An http_connection_manager. */
export interface Manager {
  readonly config: Tree;
  readonly filters: readonly Filter[];
  readonly scopes: readonly Scope[];
}

/** A part of a route configuration: the whole, a virtual host, a route, or a cluster of a weighted route. */
export interface Scope {
  /** For people: route `/orders` of virtual host `bookshop`. */
  readonly label: string;
  readonly kind: "routes" | "host" | "route" | "cluster";
  readonly tree: Tree;
}

/** What is found by name elsewhere in a dump. */
export interface Elsewhere {
  readonly routes: ReadonlyMap<string, Tree>;
  /** Filters that come by ECDS. */
  readonly filters: ReadonlyMap<string, Tree>;
}
