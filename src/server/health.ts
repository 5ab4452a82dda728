import type { Server, UntypedServiceImplementation } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

/** The gRPC health service. */
export interface Health {
  addTo(server: Server): void;
  setServing(serving: boolean): void;
  /** Ends open Watch streams, which would otherwise hold up a drain: they never end by themselves. */
  endWatches(): void;
}

interface WatchCall {
  on(event: "cancelled" | "close", listener: () => void): void;
  end(): void;
}

/** Health of `services`, all alike; NOT_SERVING until told otherwise. */
export function createHealth(services: readonly string[]): Health {
  const health = new HealthImplementation(Object.fromEntries(services.map((name) => [name, "NOT_SERVING"])));
  const watches = new Set<WatchCall>();
  return {
    addTo(server) {
      const tracking = {
        addService: (definition: unknown, implementation: UntypedServiceImplementation) => {
          const watch = implementation["watch"] as (call: WatchCall) => void;
          const tracked = (call: WatchCall): void => {
            watches.add(call);
            call.on("cancelled", () => watches.delete(call));
            watch(call);
          };
          server.addService(definition as Parameters<Server["addService"]>[0], {
            ...implementation,
            watch: tracked as UntypedServiceImplementation[string],
          });
        },
      };
      health.addToServer(tracking as unknown as Parameters<typeof health.addToServer>[0]);
    },
    setServing(serving) {
      for (const name of services) health.setStatus(name, serving ? "SERVING" : "NOT_SERVING");
    },
    endWatches() {
      for (const call of watches) call.end();
      watches.clear();
    },
  };
}
