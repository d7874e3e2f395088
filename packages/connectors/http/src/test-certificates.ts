import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

/** Certificates of an authority that lives as long as a test, made by the openssl of the system. */
export class TestAuthority {
  readonly certificate: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "tutti-test-ca-"));
  #made = 0;

  constructor() {
    this.#openssl("req", "-x509", ...NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test Authority");
    this.certificate = this.#read("ca.pem");
  }

  /** @param names as in a certificate: `DNS:localhost,IP:127.0.0.1`. @param validity dates as openssl writes them, `YYYYMMDDHHMMSSZ`. */
  issue(names: string, validity?: { readonly from: string; readonly to: string }): TestCertificate {
    this.#made += 1;
    const name = `c${this.#made}`;
    this.#openssl("req", ...NEW_KEY, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", "/CN=test");
    writeFileSync(join(this.#directory, `${name}.ext`), `subjectAltName=${names}\n`);
    const times = validity ?? { from: "20200101000000Z", to: "20991231000000Z" };
    writeFileSync(join(this.#directory, `${name}.txt`), "");
    writeFileSync(join(this.#directory, `${name}.cnf`), CA_CONFIGURATION(name));
    // `openssl ca` is the one command of OpenSSL 3.0 that takes both dates.
    const signed = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", `${name}.ext`, "-startdate", times.from, "-enddate", times.to];
    this.#openssl("ca", "-batch", "-notext", "-config", `${name}.cnf`, "-cert", "ca.pem", "-keyfile", "ca.key", ...signed);
    return { key: this.#read(`${name}.key`), cert: this.#read(`${name}.pem`) };
  }

  selfSigned(names: string): TestCertificate {
    const options = ["-days", "2", "-subj", "/CN=self", "-addext", `subjectAltName=${names}`];
    this.#openssl("req", "-x509", ...NEW_KEY, "-keyout", "self.key", "-out", "self.pem", ...options);
    return { key: this.#read("self.key"), cert: this.#read("self.pem") };
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #openssl(...words: readonly string[]): void {
    execFileSync("openssl", words, { cwd: this.#directory, stdio: ["ignore", "ignore", "pipe"], timeout: 30_000 });
  }

  #read(name: string): string {
    return readFileSync(join(this.#directory, name), "utf8");
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"] as const;

const CA_CONFIGURATION = (name: string): string => `[ca]
default_ca = test
[test]
database = ${name}.txt
new_certs_dir = .
default_md = sha256
rand_serial = yes
policy = any
[any]
commonName = supplied
`;
