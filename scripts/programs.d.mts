export declare const BUNDLES: Readonly<Record<"tutti" | "tests", readonly string[]>>;
export declare const BUNDLE_VARIABLE: "TUTTI_BUNDLE";
export declare const CACHE: string;
export declare const INGREDIENTS: readonly string[];
export declare function programFile(source: string, environment?: Readonly<Record<string, string | undefined>>): string;
export declare function freshBundle(name: string, cache?: string): Readonly<Record<string, string>> | undefined;
export declare function stateOf(file: string): string;
