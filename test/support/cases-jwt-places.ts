import { bearer, type JwtCase } from "./jwt-case.js";
import type { JwtKit } from "./jwt-kit.js";
import type { Ask } from "./jwt-stage.js";

/** A good token, one that is expired, and a second good one. */
interface Tokens {
  readonly good: string;
  readonly bad: string;
  readonly other: string;
}

type Make = (tokens: Tokens) => Ask;

const line = (...lines: readonly string[]): Ask => ({ lines });
const path = (text: string): Ask => ({ path: text });

/** `Authorization` and `access_token`. */
const usualPlaces: Readonly<Record<string, Make>> = {
  "no token": () => ({}),
  "a good token": ({ good }) => line(bearer(good)),
  "bearer in lower case": ({ good }) => line(`Authorization: bearer ${good}`),
  "BEARER in capitals": ({ good }) => line(`Authorization: BEARER ${good}`),
  "Bearer twice": ({ good }) => line(`Authorization: Bearer Bearer ${good}`),
  "Bearer and a tab": ({ good }) => line(`Authorization: Bearer\t${good}`),
  "Bearer without a space": ({ good }) => line(`Authorization: Bearer${good}`),
  "Bearer and three spaces": ({ good }) => line(`Authorization: Bearer   ${good}`),
  "Bearer alone": () => line("Authorization: Bearer"),
  "Bearer and a space": () => line("Authorization: Bearer "),
  "Bearer and signs": () => line("Authorization: Bearer !!! $$"),
  "Bearer, signs and the token": ({ good }) => line(`Authorization: Bearer "${good}`),
  "Bearer and the token in quotes": ({ good }) => line(`Authorization: Bearer "${good}"`),
  "an empty header": () => line("Authorization:"),
  "another scheme": () => line("Authorization: Basic YTpi"),
  "JWT Bearer": ({ good }) => line(`Authorization: JWT Bearer ${good}`),
  "Bearer inside another scheme": ({ good }) => line(`Authorization: Basic x, Bearer ${good}`),
  "the token without a scheme": ({ good }) => line(`Authorization: ${good}`),
  "two lines, both good": ({ good, other }) => line(bearer(good), bearer(other)),
  "two lines, the second bad": ({ good, bad }) => line(bearer(good), bearer(bad)),
  "two lines, the first bad": ({ good, bad }) => line(bearer(bad), bearer(good)),
  "two lines, the first of another scheme": ({ good }) => line("Authorization: Basic YTpi", bearer(good)),
  "two lines, the first empty": ({ good }) => line("Authorization:", bearer(good)),
  "the same line twice": ({ good }) => line(bearer(good), bearer(good)),
  "two tokens in one line": ({ good, other }) => line(`Authorization: Bearer ${good}, Bearer ${other}`),
  "in the query": ({ good }) => path(`/?access_token=${good}`),
  "in the query among others": ({ good }) => path(`/p?b=%20z&a=1&access_token=${good}&b=2&flag`),
  "in the query, first of several": ({ good }) => path(`/p?access_token=${good}&b=%2F&c=+&=x&&d=`),
  "in the query twice": ({ good, other }) => path(`/?access_token=${good}&access_token=${other}`),
  "in the query twice, the second bad": ({ good, bad }) =>
    path(`/?access_token=${good}&x=1&access_token=${bad}`),
  "in the query twice, the first bad": ({ good, bad }) => path(`/?access_token=${bad}&access_token=${good}`),
  "in the query, empty": () => path("/?access_token="),
  "in the query, empty, a good one behind": ({ good }) => path(`/?access_token=&access_token=${good}`),
  "in the query without =": () => path("/?access_token"),
  "in the query, name encoded": ({ good }) => path(`/?access%5Ftoken=${good}`),
  "in the query, name encoded, and once plain": ({ good, bad }) =>
    path(`/?access%5Ftoken=${good}&access_token=${bad}`),
  "in the query, name in capitals": ({ good }) => path(`/?ACCESS_TOKEN=${good}`),
  "in the query, dots encoded": ({ good }) => path(`/?x=%41&access_token=${good.replaceAll(".", "%2E")}`),
  "in the query, with + behind": ({ good }) => path(`/?access_token=${good}+`),
  "in the query, with %20 in front": ({ good }) => path(`/?access_token=%20${good}`),
  "in the query, with line ends behind": ({ good }) => path(`/?access_token=${good}%0A%0D%0B%0C`),
  "in the query, with NUL behind": ({ good }) => path(`/?access_token=${good}%00`),
  "in the query, with = behind": ({ good }) => path(`/?access_token=${good}=`),
  "in the query, behind a second ?": ({ good }) => path(`/?a=b?access_token=${good}`),
  "in the query, first part ?": ({ good }) => path(`/??access_token=${good}`),
  "in the query, with ; between": ({ good }) => path(`/?a=b;access_token=${good}`),
  "in the query, broken encoding elsewhere": ({ good }) => path(`/?a=%zz&b=%&access_token=${good}&c=%4`),
  "in the query, encoded & elsewhere": ({ good }) => path(`/?a=x%26y%3Dz&access_token=${good}`),
  "in the query, high bytes elsewhere": ({ good }) => path(`/?a=%C3%A9%FF&access_token=${good}&%C3%A9=%00`),
  "in the query, odd signs elsewhere": ({ good }) =>
    path(`/?a=!*'();:@$,/[]{}|^~"\`<>\\&access_token=${good}&b=a=b=c`),
  "in the query, other names twice": ({ good }) => path(`/?a=2&a=1&access_token=${good}&a=3`),
  "in the query, only &": ({ good }) => path(`/?&access_token=${good}&`),
  "in the query, path encoded": ({ good }) => path(`/%41/%2f;x=1?access_token=${good}`),
  "header and query, both good": ({ good, other }) => ({
    path: `/?access_token=${other}&k=v`,
    lines: [bearer(good)],
  }),
  "header and query, the query bad": ({ good, bad }) => ({
    path: `/?access_token=${bad}`,
    lines: [bearer(good)],
  }),
  "header and query, the header bad": ({ good, bad }) => ({
    path: `/?access_token=${good}`,
    lines: [bearer(bad)],
  }),
  "in a cookie that no rule names": ({ good }) => line(`Cookie: access_token=${good}`),
  "in a header that no rule names": ({ bad }) => line(`X-Token: ${bad}`),
  "in Proxy-Authorization": ({ bad }) => line(`Proxy-Authorization: Bearer ${bad}`),
  "in the fragment of a path": ({ bad }) => path(`/;access_token=${bad}`),
  "in a form body": ({ bad }) => ({
    method: "POST",
    lines: ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 0", `X-Body: ${bad}`],
  }),
};

const headerPlaces: Readonly<Record<string, Make>> = {
  "without prefix": ({ good }) => line(`X-Jwt: ${good}`),
  "without prefix, empty": () => line("X-Jwt:"),
  "without prefix, with Bearer": ({ good }) => line(`X-Jwt: Bearer ${good}`),
  "without prefix, two lines": ({ good, other }) => line(`X-Jwt: ${good}`, `x-jwt: ${other}`),
  "without prefix, the second empty": ({ good }) => line(`X-Jwt: ${good}`, "x-jwt:"),
  "without prefix, other characters behind": ({ good }) => line(`X-Jwt: ${good}; x`),
  "the usual places do not count": ({ bad }) => ({ path: `/?access_token=${bad}`, lines: [bearer(bad)] }),
};

const prefixPlaces: Readonly<Record<string, Make>> = {
  "first prefix": ({ good }) => line(`X-Jwt: JWT ${good}`),
  "second prefix": ({ good }) => line(`X-Jwt: Token=${good}`),
  "both prefixes in one line": ({ good }) => line(`X-Jwt: JWT Token=${good}`),
  "both prefixes in one line, two tokens": ({ good, other }) => line(`X-Jwt: JWT ${good} Token=${other}`),
  "both prefixes in two lines": ({ good, other }) => line(`X-Jwt: JWT ${good}`, `X-Jwt: Token=${other}`),
  "both prefixes in two lines, one bad": ({ good, bad }) => line(`X-Jwt: JWT ${good}`, `X-Jwt: Token=${bad}`),
  "no prefix": ({ good }) => line(`X-Jwt: ${good}`),
  "prefix in lower case": ({ good }) => line(`X-Jwt: jwt ${good}`),
  "prefix at the end": () => line("X-Jwt: abc JWT "),
};

const paramPlaces: Readonly<Record<string, Make>> = {
  "first name": ({ good }) => path(`/?a=${good}&x=1`),
  "second name": ({ good }) => path(`/?tok=${good}`),
  "both names": ({ good, other }) => path(`/?tok=${good}&a=${other}&x=1`),
  "both names, one bad": ({ good, bad }) => path(`/?tok=${bad}&a=${good}`),
  "both names, the other bad": ({ good, bad }) => path(`/?tok=${good}&a=${bad}`),
  "a name with a space": ({ good }) => path(`/?my%20tok=${good}&x=1`),
  "a name with a plus": ({ good }) => path(`/?my+tok=${good}&x=1`),
  "a name with an encoded letter": ({ good }) => path(`/?%74ok=${good}`),
  "the header does not count": ({ bad }) => line(bearer(bad)),
};

const cookiePlaces: Readonly<Record<string, Make>> = {
  "a cookie": ({ good }) => line(`Cookie: session=${good}`),
  "among others": ({ good }) => line(`Cookie: a=1; session=${good}; b2=x`),
  "without spaces": ({ good }) => line(`Cookie: a=1;session=${good};b2=x`),
  "with a tab": ({ good }) => line(`Cookie: a=1;\tsession=${good}`),
  "in quotes": ({ good }) => line(`Cookie: session="${good}"`),
  "with one quote": ({ good }) => line(`Cookie: session="${good}`),
  "with a quote behind": ({ good }) => line(`Cookie: session=${good}"`),
  "only quotes": () => line('Cookie: session=""'),
  "one quote": () => line('Cookie: session="'),
  "spaces around =": ({ good }) => line(`Cookie: session = ${good}`),
  "a space behind": ({ good }) => line(`Cookie: session=${good} ; a=1`),
  "a space before": ({ good }) => line(`Cookie: session= ${good}`),
  "a quoted space": ({ good }) => line(`Cookie: session=" ${good}"`),
  twice: ({ good, bad }) => line(`Cookie: session=${good}; session=${bad}`),
  "twice, the first bad": ({ good, bad }) => line(`Cookie: session=${bad}; session=${good}`),
  "in two lines": ({ good, bad }) => line(`Cookie: session=${good}`, `Cookie: session=${bad}`),
  "in the second line": ({ good }) => line("Cookie: a=1", `Cookie: session=${good}`),
  empty: () => line("Cookie: session="),
  "empty, then good": ({ good }) => line(`Cookie: session=; session=${good}`),
  "without =": () => line("Cookie: session"),
  "without =, then good": ({ good }) => line(`Cookie: session; session=${good}`),
  "name in capitals": ({ good }) => line(`Cookie: SESSION=${good}`),
  "name as a prefix": ({ good }) => line(`Cookie: session2=${good}`),
  "comma between": ({ good }) => line(`Cookie: a=1, session=${good}`),
  "both cookies": ({ good, other }) => line(`Cookie: b=${other}; session=${good}`),
  "both cookies, one bad": ({ good, bad }) => line(`Cookie: b=${bad}; session=${good}`),
  "both cookies, the other bad": ({ good, bad }) => line(`Cookie: b=${good}; session=${bad}`),
  "value with =": ({ good }) => line(`Cookie: session=${good}==`),
  "an empty Cookie header": () => line("Cookie:"),
};

const everywhere: Readonly<Record<string, Make>> = {
  "x-a and x-b": ({ good, other }) => line(`X-B: ${other}`, `X-A: Bearer ${good}`),
  "x-a bad": ({ good, bad }) => line(`X-B: ${good}`, `X-A: Bearer ${bad}`),
  "x-b bad": ({ good, bad }) => line(`X-B: ${bad}`, `X-A: Bearer ${good}`),
  "header and param": ({ good, other }) => ({ path: `/?y=${other}&q=1`, lines: [`X-B: ${good}`] }),
  "param and cookie": ({ good, other }) => ({ path: `/?y=${good}`, lines: [`Cookie: c=${other}`] }),
  "param bad, cookie bad in another way": ({ bad }) => ({ path: `/?y=${bad}`, lines: ["Cookie: c=x"] }),
  "param z then y": ({ good, other }) => path(`/?z=${good}&y=${other}`),
  "all of them": ({ good, other }) => ({
    path: `/?z=${good}&y=${other}&q=%41`,
    lines: [`X-A: Bearer ${good}`, `X-B: ${other}`, `Cookie: c=${good}`],
  }),
  "all of them, the cookie bad": ({ good, other }) => ({
    path: `/?z=${good}&y=${other}&q=%41`,
    lines: [`X-A: Bearer ${good}`, `X-B: ${other}`, "Cookie: c=x.y.z"],
  }),
};

/** Where tokens stand, and what is left of them behind the filter. */
export const placeCases: readonly JwtCase[] = [
  ...each("plain", usualPlaces),
  ...each("keep", usualPlaces),
  ...each("header", headerPlaces),
  ...each("prefix", prefixPlaces),
  ...each("params", paramPlaces),
  ...each("cookies", cookiePlaces),
  ...each("everywhere", everywhere),
  ...each("everywhere-no-bob", everywhere),
];

function each(set: string, makes: Readonly<Record<string, Make>>): readonly JwtCase[] {
  return Object.entries(makes).map(([name, make]) => ({
    id: `${set}: ${name}`,
    set,
    ask: (kit: JwtKit) =>
      make({
        good: kit.token(),
        other: kit.token({ payload: kit.claims({ sub: "bob" }) }),
        bad: kit.token({ payload: kit.claims({ exp: 1 }) }),
      }),
  }));
}
