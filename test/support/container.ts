import { buffer } from "node:stream/consumers";
import type { LaunchOptions, Tool } from "./tools.js";

/** Where a tool's official image keeps its program. */
export interface ContainerSpec {
  readonly image: string;
  /** Path of the program inside of the image. */
  readonly program: string;
}

/**
 * A tool that runs in a container on the host's network, so that its loopback ports are ours. The program's
 * output is known only when it has ended. Rejects when there is no container engine or no image.
 */
export async function containerTool(name: string, spec: ContainerSpec): Promise<Tool> {
  const { GenericContainer } = await import("testcontainers");
  const idle = (): InstanceType<typeof GenericContainer> =>
    new GenericContainer(spec.image).withEntrypoint(["sleep"]).withCommand(["infinity"]).withUser("0");
  const probe = await idle().start();
  await probe.stop();
  return {
    name,
    source: "container",
    where: spec.image,
    program: async () => {
      const container = await idle().start();
      try {
        return firstFile(await buffer(await container.copyArchiveFromContainer(spec.program)));
      } finally {
        await container.stop();
      }
    },
    launch: async (args: readonly string[], options: LaunchOptions = {}) => {
      const mounts = [...new Set([...(options.folders ?? []), ...(options.cwd ? [options.cwd] : [])])];
      const container = await idle()
        .withNetworkMode("host")
        .withBindMounts(mounts.map((folder) => ({ source: folder, target: folder })))
        .start();
      let output = "";
      const ended = container
        .exec([spec.program, ...args], options.cwd === undefined ? {} : { workingDir: options.cwd })
        .then(
          (result) => {
            output = result.output;
            return { code: result.exitCode, signal: null };
          },
          () => ({ code: null, signal: "SIGKILL" as const }),
        );
      let stopped: Promise<unknown> | undefined;
      const stopOnce = (): Promise<unknown> => {
        stopped ??= container.stop();
        return stopped;
      };
      const exited = ended.then(async (exit) => {
        await stopOnce();
        return exit;
      });
      return {
        pid: undefined,
        output: () => output,
        exited,
        stop: async () => {
          await stopOnce();
          return exited;
        },
      };
    },
  };
}

/**
 * The first member's bytes of a tar archive: a 512-byte header with an octal size at 124, then the content.
 */
function firstFile(tar: Buffer): Buffer {
  const size = Number.parseInt(tar.toString("latin1", 124, 136), 8);
  return tar.subarray(512, 512 + size);
}
