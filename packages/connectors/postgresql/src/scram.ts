import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { ConnectorError } from "@tutti/connector-kit";

/** What PostgreSQL itself takes by default. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** Characters that clients change or drop before they use a password (SASLprep), not all of them alike. */
const CHANGED =
  /[\u00A0\u00AD\u1680\u1806\u2000-\u200C\u202F\u205F\u2060\u3000\uFEFF]|\u034F|\u180B|\u180C|\u180D|\u200D|[\u{FE00}-\u{FE0F}]/u;

const derive = promisify(pbkdf2);

/**
 * What PostgreSQL stores of a password for the login by SCRAM-SHA-256. It is sent in place of the password, which so stands in no statement, and in no
 * log of the server.
 *
 * @param iterations Fewer are for tests that log in a thousand times.
 * @throws ConnectorError `validation`, never-began: clients would read the password differently.
 */
export async function scramVerifier(password: string, iterations = ITERATIONS): Promise<string> {
  if (password === "" || password.includes("\0") || password.normalize("NFKC") !== password || CHANGED.test(password))
    throw new ConnectorError(
      "The password is empty, or holds characters that clients read differently (special spaces, joined letters): take another one.",
      { kind: "validation", outcome: "never-began" },
    );
  const salt = randomBytes(SALT_BYTES);
  const salted = await derive(password, salt, iterations, KEY_BYTES, "sha256");
  const keyFor = (what: string): Buffer => createHmac("sha256", salted).update(what).digest();
  const storedKey = createHash("sha256").update(keyFor("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${keyFor("Server Key").toString("base64")}`;
}
