/** Where the function of a catalog stands: the file structure of the specification's own catalog. */
export function catalogFunctionUri(endpoint: string, name: string, version: string): string {
  const path = `functions/${encodeURIComponent(name)}/${encodeURIComponent(version)}/function.yaml`;
  return rawUri(`${endpoint.replace(/\/+$/, "")}/${path}`);
}

const GITHUB = /^https:\/\/github\.com\/([^/]+)\/([^/]+?)(?:\.git)?\/(?:(?:tree|blob)\/([^/]+)\/)?(.+)$/;
const GITLAB = /^(https:\/\/gitlab\.com\/.+?)\/-\/(?:tree|blob)\/([^/]+)\/(.+)$/;
/** A catalog that is named by its GitLab project alone: `functions` is where its path ends. */
const GITLAB_PROJECT = /^(https:\/\/gitlab\.com\/[^/]+(?:\/(?!functions\/)[^/]+)+)\/(functions\/.+)$/;

/**
 * The address of a file's content when a URI names its page on GitHub or GitLab, as the specification asks of catalogs; any other URI as it is.
 * Without a branch, that of the default branch.
 */
export function rawUri(uri: string): string {
  const [, owner, repository, branch, path] = GITHUB.exec(uri) ?? [];
  if (owner !== undefined && repository !== undefined && path !== undefined && /\.(?:ya?ml|json)$/.test(path)) {
    const reference = branch === undefined ? "HEAD" : `refs/heads/${branch}`;
    return `https://raw.githubusercontent.com/${owner}/${repository}/${reference}/${path}`;
  }
  const [, project, of, file] = GITLAB.exec(uri) ?? [];
  if (project !== undefined && of !== undefined && file !== undefined) return `${project}/-/raw/${of}/${file}`;
  const [, bare, inside] = GITLAB_PROJECT.exec(uri) ?? [];
  return bare === undefined || inside === undefined ? uri : `${bare}/-/raw/HEAD/${inside}`;
}
