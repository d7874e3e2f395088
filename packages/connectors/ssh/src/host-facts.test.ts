import { expect, test } from "vitest";
import { readHostFacts } from "./host-facts.ts";

const SAID = `@hostname
web1
@kernel
Linux
6.1.0-18-amd64
x86_64
@os
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
VERSION_ID="12"
ID=debian
@cpus
4
AMD EPYC
@memory
MemTotal:        2048 kB
MemAvailable:    1024 kB
SwapTotal:          0 kB
@disks
Filesystem     Type     1024-blocks    Used Available Capacity Mounted on
/dev/vda1      ext4            1000     400       600      40% /
tmpfs          tmpfs            500       0       500       0% /dev/shm
/dev/vdb       xfs             2000       1      1999       1% /srv/my data
@addresses
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever
2: eth0@if7    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0
2: eth0    inet6 fe80::1/64 scope link
@uptime
123.45 300.00
@boot
5c6c2a5e-0000-4000-8000-000000000000
@end
`;

test("what a host says of itself is read", () => {
  expect(readHostFacts(SAID)).toEqual({
    hostname: "web1",
    os: { id: "debian", name: "Debian GNU/Linux 12 (bookworm)", version: "12" },
    kernel: { name: "Linux", release: "6.1.0-18-amd64", architecture: "x86_64" },
    cpus: { count: 4, model: "AMD EPYC" },
    memory: { totalBytes: 2_097_152, availableBytes: 1_048_576, swapBytes: 0 },
    disks: [
      { mount: "/", device: "/dev/vda1", type: "ext4", sizeBytes: 1_024_000, usedBytes: 409_600, freeBytes: 614_400 },
      { mount: "/srv/my data", device: "/dev/vdb", type: "xfs", sizeBytes: 2_048_000, usedBytes: 1024, freeBytes: 2_046_976 },
    ],
    addresses: [
      { interface: "lo", address: "127.0.0.1", prefix: 8, family: "ipv4" },
      { interface: "eth0", address: "10.0.0.5", prefix: 24, family: "ipv4" },
      { interface: "eth0", address: "fe80::1", prefix: 64, family: "ipv6" },
    ],
    uptimeSeconds: 123,
    bootId: "5c6c2a5e-0000-4000-8000-000000000000",
  });
});

test("half of it, or something else, is nothing", () => {
  expect(readHostFacts(SAID.replace("@end\n", ""))).toBeUndefined();
  expect(readHostFacts('{"status":"ok"}')).toBeUndefined();
});
