import { expect, test } from "vitest";
import { fingerprintOf, proofsFor, readKnownKey, typeOf } from "./host-key.ts";

const ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
/** What `ssh-keygen -lf` says of it. */
const FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

test.each([
  [`ssh-ed25519 ${ED25519}`],
  [`ssh-ed25519 ${ED25519} root@fw1`],
  [`github.com ssh-ed25519 ${ED25519}`],
  [`[127.0.0.1]:2222 ssh-ed25519 ${ED25519}\n`],
  [`|1|salt|hash ssh-ed25519 ${ED25519}`],
])("%s is a key that is known", (text) => {
  expect(readKnownKey(text)).toEqual({ type: "ssh-ed25519", fingerprint: FINGERPRINT });
});

test("a fingerprint stands for a key of any type", () => {
  expect(readKnownKey(`${FINGERPRINT}=`)).toEqual({ type: undefined, fingerprint: FINGERPRINT });
});

test.each([
  ["nonsense"],
  ["SHA256:short"],
  [`ssh-rsa ${ED25519}`],
  ["ssh-ed25519"],
  ["MD5:00:11"],
  [`@revoked * ssh-ed25519 ${ED25519}`],
  [""],
])("%j is none", (text) => {
  expect(readKnownKey(text)).toBeUndefined();
});

test("a key names its type, and what is no key none", () => {
  const key = Buffer.from(ED25519, "base64");
  expect([typeOf(key), typeOf(Buffer.alloc(0)), typeOf(Buffer.from([255, 255, 255, 255, 1]))]).toEqual(["ssh-ed25519", "", ""]);
  expect(fingerprintOf(key)).toBe(FINGERPRINT);
});

test("the host is asked for a key that is known; with a fingerprint among them for any", () => {
  const [ed25519, rsa, any] = [
    { type: "ssh-ed25519", fingerprint: "" },
    { type: "ssh-rsa", fingerprint: "" },
    { type: undefined, fingerprint: "" },
  ];
  expect(proofsFor([ed25519, rsa])).toEqual(["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]);
  expect(proofsFor([ed25519, any])).toBeUndefined();
});
