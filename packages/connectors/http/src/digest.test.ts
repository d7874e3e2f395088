import { describe, expect, test } from "vitest";
import { DigestAnswers } from "./digest-credentials.ts";
import { parseChallenges, strongestDigestChallenge } from "./digest-challenge.ts";

const challenge = (text: string) => {
  const found = strongestDigestChallenge(text);
  if (found === undefined) throw new Error("no challenge that can be answered");
  return found;
};

/** RFC 7616, section 3.9.1. */
const MUFASA = {
  offer: (algorithm: string) =>
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
  cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
  proof: {
    username: "Mufasa",
    password: "Circle of Life",
    method: "GET",
    url: new URL("http://www.example.org/dir/index.html"),
    body: undefined,
  },
};

describe("answers", () => {
  test.each([
    ["MD5", "8ca523f5e9506fed4657c9700eebdbec"],
    ["SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"],
  ])("the example of RFC 7616 for %s", (algorithm, response) => {
    const header = new DigestAnswers(challenge(MUFASA.offer(algorithm)), MUFASA.cnonce).header(MUFASA.proof);
    expect(header).toBe(
      `Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html", response="${response}", algorithm=${algorithm}, qop=auth, nc=00000001, cnonce="${MUFASA.cnonce}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
    );
  });

  test("the example of RFC 7616 for SHA-512-256 with a hashed name, as its erratum 4897 corrects it", () => {
    const offer =
      'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true';
    const header = new DigestAnswers(challenge(offer), "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v").header({
      username: "J\u00e4s\u00f8n Doe",
      password: "Secret, or not?",
      method: "GET",
      url: new URL("http://api.example.org/doe.json"),
      body: undefined,
    });
    expect(header).toContain('username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"');
    expect(header).toContain('response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"');
    expect(header).toContain("userhash=true");
  });

  test("the example of RFC 2617 for a server without algorithm, and one of RFC 2069 without qop", () => {
    const proof = { ...MUFASA.proof, password: "Circle Of Life" };
    const realm = 'realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"';
    expect(new DigestAnswers(challenge(`Digest ${realm}, qop="auth,auth-int"`), "0a4f113b").header(proof)).toContain(
      'response="6629fae49393a05397450978507c4ef1"',
    );
    const legacy = new DigestAnswers(challenge(`Digest ${realm}`)).header(proof);
    expect(legacy).toContain('response="670fd8c2df070c60b045671b8b24ff02"');
    expect(legacy).not.toMatch(/nc=|cnonce=|qop=/);
  });

  test("the count rises with each request, and begins anew with the nonce that the server names", () => {
    const answers = new DigestAnswers(challenge(MUFASA.offer("MD5")));
    const counts = [1, 2, 3].map(() => /nc=(\w+)/.exec(answers.header(MUFASA.proof))?.[1]);
    expect(counts).toEqual(["00000001", "00000002", "00000003"]);
    answers.useNonce("next");
    expect(answers.header(MUFASA.proof)).toMatch(/nonce="next".*nc=00000001/);
  });

  test("quotes and backslashes are escaped, names beyond ASCII travel in the extended notation", () => {
    const answers = new DigestAnswers(challenge('Digest realm="a\\"b\\\\c", nonce="n"'));
    expect(answers.header({ ...MUFASA.proof, username: 'x"y' })).toMatch(/^Digest username="x\\"y", realm="a\\"b\\\\c", /);
    expect(answers.header({ ...MUFASA.proof, username: "Jäsøn (Doe)" })).toContain("username*=UTF-8''J%C3%A4s%C3%B8n%20%28Doe%29,");
  });
});

describe("challenges", () => {
  test("several schemes in one header are told apart", () => {
    const header = 'Negotiate abc+/9==, Basic realm="a, b", Digest realm="c", nonce="d=e", qop="auth",, Bearer';
    expect(parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])).toEqual([
      ["negotiate", {}],
      ["basic", { realm: "a, b" }],
      ["digest", { realm: "c", nonce: "d=e", qop: "auth" }],
      ["bearer", {}],
    ]);
  });

  test("the strongest one that can be answered is taken", () => {
    const offers = ["MD5", "SHA-512-256", "SHA-256", "SHA-3"].map(
      (name) => `Digest realm="r", nonce="${name}", algorithm=${name}, qop="auth"`,
    );
    expect(challenge(offers.join(", ")).nonce).toBe("SHA-512-256");
    expect(challenge(offers.slice(0, 1).join(", "))).toMatchObject({ nonce: "MD5", algorithm: { name: "MD5", session: false } });
  });

  test.each([
    ["", "no header"],
    ["Basic realm=x", "another scheme"],
    ['Digest realm="r"', "no nonce"],
    ['Digest realm="r", nonce="n", algorithm=SHA-3', "an unknown algorithm"],
    ['Digest realm="r", nonce="n", qop="other"', "an unknown qop"],
    ['realm="r", nonce="n"', "no scheme"],
    ['Digest realm="r, nonce=n', "an open quote"],
    [`Digest ${"a=b,".repeat(4000)}`, "garbage"],
  ])("%#: %s can't be answered (%s)", (header) => {
    expect(strongestDigestChallenge(header)).toBeUndefined();
  });

  test("a parameter that comes twice counts the first time", () => {
    expect(challenge('Digest realm="r", nonce="first", nonce="second"').nonce).toBe("first");
  });
});
