import Access
import Crypto
import Foundation
import NIOCore
import NIOHTTP1

/// What a person sees: one column, light or dark as they like it, without script, font or picture from anywhere.
struct Page: Sendable {
    var status = 200
    var title: String
    var content: HTML
    /// Closes the window where the browser lets it.
    var closesItself = false

    private static let style = """
        :root{color-scheme:light dark;--text:#1d1f23;--soft:#5b616b;--back:#f4f5f7;--card:#fff;--line:#d5d9e0;\
        --act:#0b57c2;--on:#fff;--warn:#8a4b00;--warnback:#fff3df}\
        @media(prefers-color-scheme:dark){:root{--text:#eceef2;--soft:#a5abb6;--back:#15171a;--card:#1f2226;\
        --line:#3a3f47;--act:#7db2ff;--on:#0c1016;--warn:#ffd08a;--warnback:#3a2c14}}\
        *{box-sizing:border-box}\
        body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--back);\
        color:var(--text);font:1rem/1.5 system-ui,sans-serif}\
        main{width:100%;max-width:30rem;padding:1.5rem;background:var(--card);border:1px solid var(--line);\
        border-radius:.75rem;overflow-wrap:anywhere}\
        h1{margin:0 0 .75rem;font-size:1.35rem;line-height:1.25}p{margin:.75rem 0}\
        small,dt{color:var(--soft)}dl{margin:1rem 0}dd{margin:0 0 .6rem;font-weight:600}\
        code{font-family:ui-monospace,monospace;font-size:.95em}\
        .warn{padding:.6rem .8rem;border-radius:.5rem;background:var(--warnback);color:var(--warn)}\
        .act{display:block;width:100%;margin:.6rem 0;padding:.7rem 1rem;border:2px solid var(--act);\
        border-radius:.5rem;background:var(--act);color:var(--on);font:inherit;font-weight:600;text-align:center;\
        text-decoration:none;cursor:pointer}\
        .act.soft{background:transparent;color:var(--act)}\
        :focus-visible{outline:3px solid var(--act);outline-offset:3px}
        """
    private static let script = "window.close()"
    private static let policy =
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src \(hash(style))"

    func response(ray: String) -> AccessResponse {
        let script: HTML = closesItself ? "<script>window.close()</script>" : ""
        let html: HTML = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="robots" content="noindex">
            <title>\(title)</title>
            <style>\(HTML(stringLiteral: Self.style))</style>
            </head>
            <body>
            <main>
            <h1>\(title)</h1>
            \(content)
            <small>Ray \(ray)</small>
            </main>
            \(script)
            </body>
            </html>

            """
        var response = AccessResponse.plain(status: status, body: html.text, type: "text/html; charset=utf-8")
        response.headers.replaceOrAdd(
            name: "content-security-policy",
            value: closesItself ? "\(Self.policy); script-src \(Self.hash(Self.script))" : Self.policy)
        return response
    }

    private static func hash(_ text: String) -> String {
        "'sha256-\(Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString())'"
    }
}

extension AccessResponse {
    /// With what every answer of the service carries (access-protocol section 3.13, 1 and 14).
    static func plain(status: Int, body: String = "", type: String = "text/plain; charset=utf-8") -> AccessResponse {
        var headers: HTTPHeaders = [
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "referrer-policy": "same-origin",
            "strict-transport-security": "max-age=31536000",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
        ]
        if !body.isEmpty { headers.add(name: "content-type", value: type) }
        return AccessResponse(status: status, headers: headers, body: ByteBuffer(string: body))
    }

    static func json(_ value: some Encodable, status: Int = 200) -> AccessResponse {
        guard let body = try? JSONEncoder.snakeCase.encode(value) else { return .plain(status: 500) }
        return .plain(status: status, body: String(decoding: body, as: UTF8.self), type: "application/json")
    }

    static func redirect(to location: String, cookies: [SetCookie] = []) -> AccessResponse {
        var response = AccessResponse.plain(status: 302)
        response.headers.add(name: "location", value: location)
        response.add(cookies)
        return response
    }

    mutating func add(_ cookies: [SetCookie]) {
        for cookie in cookies { headers.add(name: "set-cookie", value: cookie.text) }
    }
}
