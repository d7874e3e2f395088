import { z } from "@tutti/connector-kit";

/** Each part is there when the host tells it. */
export const HostFacts = z.strictObject({
  hostname: z.string(),
  os: z.strictObject({ id: z.string(), name: z.string(), version: z.string() }),
  kernel: z.strictObject({ name: z.string(), release: z.string(), architecture: z.string() }),
  cpus: z.strictObject({ count: z.number(), model: z.string() }),
  memory: z.strictObject({ totalBytes: z.number(), availableBytes: z.number(), swapBytes: z.number() }),
  disks: z.array(
    z.strictObject({
      mount: z.string(),
      device: z.string(),
      type: z.string(),
      sizeBytes: z.number(),
      usedBytes: z.number(),
      freeBytes: z.number(),
    }),
  ),
  addresses: z.array(z.strictObject({ interface: z.string(), address: z.string(), prefix: z.number(), family: z.enum(["ipv4", "ipv6"]) })),
  uptimeSeconds: z.number(),
  /** Another one after each boot. */
  bootId: z.string(),
});
export type HostFacts = z.infer<typeof HostFacts>;

const KIB = 1024;

/** Sections with a line `@NAME` before each. */
export const HOST_FACTS = `
echo done
echo @hostname; hostname 2> /dev/null || cat /proc/sys/kernel/hostname
echo @kernel; uname -s; uname -r; uname -m
echo @os; cat /etc/os-release 2> /dev/null || cat /usr/lib/os-release 2> /dev/null
echo @cpus; getconf _NPROCESSORS_ONLN 2> /dev/null || grep -c '^processor' /proc/cpuinfo
sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1
echo @memory; cat /proc/meminfo
echo @disks; df -PTkl 2> /dev/null || df -PTk 2> /dev/null
echo @addresses; ip -o addr show 2> /dev/null
echo @uptime; cat /proc/uptime
echo @boot; cat /proc/sys/kernel/random/boot_id
echo @end
`;

/** Undefined when it is not what the program says. */
export function readHostFacts(text: string): HostFacts | undefined {
  const sections = sectionsOf(text);
  const lines = (name: string): readonly string[] => sections.get(name) ?? [];
  const [name = "", release = "", architecture = ""] = lines("kernel");
  const [hostname = ""] = lines("hostname");
  if (!sections.has("end") || name === "" || hostname === "") return undefined;
  const os = pairsOf(lines("os"), "=");
  const memory = pairsOf(lines("memory"), ":");
  const bytes = (key: string): number => Number.parseInt(memory.get(key) ?? "0", 10) * KIB;
  return {
    hostname,
    os: { id: os.get("ID") ?? name.toLowerCase(), name: os.get("PRETTY_NAME") ?? name, version: os.get("VERSION_ID") ?? "" },
    kernel: { name, release, architecture },
    cpus: { count: Number(lines("cpus")[0] ?? "0") || 0, model: lines("cpus")[1] ?? "" },
    memory: { totalBytes: bytes("MemTotal"), availableBytes: bytes("MemAvailable"), swapBytes: bytes("SwapTotal") },
    disks: lines("disks").slice(1).flatMap(diskOf),
    addresses: lines("addresses").flatMap(addressOf),
    uptimeSeconds: Math.floor(Number.parseFloat(lines("uptime")[0] ?? "0")) || 0,
    bootId: lines("boot")[0] ?? "",
  };
}

function sectionsOf(text: string): ReadonlyMap<string, string[]> {
  const sections = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const line of text.split("\n")) {
    const name = /^@([a-z]+)$/.exec(line)?.[1];
    if (name !== undefined) sections.set(name, (current = []));
    else if (line !== "") current?.push(line);
  }
  return sections;
}

function pairsOf(lines: readonly string[], between: string): ReadonlyMap<string, string> {
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(between);
      return [
        line.slice(0, at),
        line
          .slice(at + 1)
          .trim()
          .replace(/^"(.*)"$/, "$1"),
      ];
    }),
  );
}

/** `device type blocks used free percent mount`. What is no disk (tmpfs, overlay of a container's own) has no device with a path, but for the root. */
function diskOf(line: string): HostFacts["disks"] {
  const [device = "", type = "", size = "", used = "", free = "", , ...rest] = line.split(/\s+/);
  const mount = rest.join(" ");
  if (!device.startsWith("/") && mount !== "/") return [];
  return [{ mount, device, type, sizeBytes: Number(size) * KIB, usedBytes: Number(used) * KIB, freeBytes: Number(free) * KIB }];
}

/** `2: eth0    inet 10.0.0.5/24 brd …` */
function addressOf(line: string): HostFacts["addresses"] {
  const [, name, family, address, prefix] = /^\d+:\s+(\S+)\s+(inet6?)\s+([0-9a-f.:]+)(?:\/(\d+))?/.exec(line) ?? [];
  if (name === undefined || address === undefined) return [];
  const isV6 = family === "inet6";
  return [
    { interface: name.replace(/@.*$/, ""), address, prefix: Number(prefix ?? (isV6 ? "128" : "32")), family: isV6 ? "ipv6" : "ipv4" },
  ];
}
