import { describe, expect, it } from "vitest";
import { aRequest } from "../../support/request.js";
import { ask } from "./ask.js";

describe("a function", () => {
  it.each([
    ["'orders/12'.startsWith('orders/')", "true"],
    ["'orders/12'.endsWith('/12')", "true"],
    ["'orders/12'.contains('s/1')", "true"],
    ["'a1b'.matches('[0-9]')", "true"],
    ["matches('a1b', '^[0-9]$')", "false"],
    ["'é'.matches('^.$')", "true"],
    ["' a '.trim()", "a"],
    ["'ÀBc'.lowerAscii()", "Àbc"],
    ["lowerAscii('AB')", "ab"],
    ["'àbC'.upperAscii()", "àBC"],
    ["'a/b/c'.split('/')[1]", "b"],
    ["'a/b/c'.split('/', 2)[1]", "b/c"],
    ["'a/b/c'.split('/', 0).size()", "0"],
    ["'a/b/c'.split('/', -1).size()", "3"],
    ["'ab'.split('')[1]", "b"],
    ["'hello'.substring(1, 3)", "el"],
    ["'a😀b'.substring(2)", "b"],
    ["size('a😀b')", "3"],
    ["'abc'.size() + size([1, 2]) + size({'a': 1})", "6"],
    ["int('-12') + int(3.9) + int(4)", "-5"],
    ["int(timestamp('2026-01-01T00:00:00Z'))", "1767225600"],
    ["double('1.5') + double(2)", "3.5"],
    ["string(12) + string(1.5) + string(true)", "121.5true"],
    ["string(timestamp('2026-01-31T23:59:59Z'))", "2026-01-31T23:59:59Z"],
    ["bool('true') && bool('1') && !bool('False')", "true"],
    ["[1, 2][dyn(1.0)]", "2"],
    ["type(dyn(1))", "int"],
    ["timestamp('2026-01-31T23:59:58Z').getHours()", "23"],
    ["timestamp('2026-01-31T23:59:58Z').getDayOfWeek()", "6"],
    ["timestamp('2026-01-31T23:59:58Z').getDate()", "31"],
    ["timestamp('2026-01-31T23:59:58Z').getMonth()", "0"],
  ])("gives %s = %s", (source, value) => {
    expect(ask(source)).toBe(value);
  });

  it.each([
    ["int('1.5')", "`int` expects a whole number of 64 bits"],
    ["int('9223372036854775808')", "`int` expects"],
    ["int('')", "`int` expects"],
    ["int(' 1')", "`int` expects"],
    ["int('0x10')", "`int` expects"],
    ["int(1e300)", "`int` expects"],
    ["double('x')", "`double` expects a number"],
    ["[1, 2][dyn(0.5)]", "is not there"],
    ["bool('yes')", "`bool` expects"],
    ["'abc'.substring(4)", "`substring` has a position outside of the text"],
    ["'abc'.substring(2, 1)", "`substring` has"],
    ["ipPrefix('10.0.0', 8)", "`ipPrefix` expects an IP address"],
    ["inCidr('host', '10.0.0.0/8')", "`inCidr` expects an IP address"],
  ])("has no value for %s", (source, reason) => {
    expect(ask(source)).toContain(reason);
  });
});

describe("ipPrefix", () => {
  it.each([
    ["10.1.2.3", "24", "10.1.2.0/24"],
    ["10.1.2.3", "32", "10.1.2.3/32"],
    ["255.1.2.3", "1", "128.0.0.0/1"],
    ["10.1.2.3", "0", "0.0.0.0/0"],
    ["::ffff:10.1.2.3", "24", "10.1.2.0/24"],
    ["::FFFF:a01:203", "24", "10.1.2.0/24"],
    ["2001:db8:1:2:3:4:5:6", "24", "2001:db8:1:2::/64"],
    ["2001:db8:1:2:3:4:5:6", "24, 48", "2001:db8:1::/48"],
    ["2001:DB8::1", "24, 128", "2001:db8::1/128"],
    ["1:0:0:2:0:0:0:3", "24, 128", "1:0:0:2::3/128"],
    ["1:0:2:3:4:5:6:7", "24, 128", "1:0:2:3:4:5:6:7/128"],
    ["::", "24, 128", "::/128"],
    ["::1", "24, 128", "::1/128"],
    ["1::", "24, 128", "1::/128"],
  ])("of %s with %s bits is %s", (ip, bits, prefix) => {
    expect(ask(`ipPrefix('${ip}', ${bits})`)).toBe(prefix);
  });
});

describe("inCidr", () => {
  it.each([
    ["10.1.2.3", "10.0.0.0/8", "true"],
    ["11.1.2.3", "10.0.0.0/8", "false"],
    ["10.1.2.3", "10.1.2.3", "true"],
    ["2001:db8::1", "2001:db8::/32", "true"],
    ["::ffff:10.1.2.3", "10.0.0.0/8", "false"],
  ])("says whether %s is in %s", (ip, cidr, value) => {
    expect(ask(`inCidr('${ip}', '${cidr}')`)).toBe(value);
  });
});

describe("pathTemplate", () => {
  const templates = "['/orders/{id}', '/orders/{id}/items/{item}', '/files/{**}', '/users/{*}/cart']";
  it.each([
    ["/orders/12", "/orders/{id}"],
    ["/orders/12?x=/y", "/orders/{id}"],
    ["/orders/12/items/3", "/orders/{id}/items/{item}"],
    ["/files/a/b/c", "/files/{**}"],
    ["/users/7/cart", "/users/{*}/cart"],
    ["/orders/", ""],
    ["/orders/12/", ""],
    ["/other", ""],
  ])("gives the first template that matches %s: %s", (path, template) => {
    expect(ask(`pathTemplate(request.path, ${templates})`, aRequest().get(path).build())).toBe(template);
  });
});
