package import NIOCore
package import NIOHTTP1

/// `hello_world`: a page to try a tunnel with, answered without any server behind it.
package enum BuiltInOrigin {
    /// - Parameter uptime: of the process.
    package static func helloWorld(
        method: String, path: String, uptime: Duration
    ) -> (status: Int, headers: HTTPHeaders, body: ByteBuffer) {
        let route = path.prefix { $0 != "?" }
        switch route {
        case "/": return page("text/html; charset=utf-8", greeting, method)
        case "/uptime": return page("application/json", "{\"uptime_seconds\":\(uptime.components.seconds)}\n", method)
        case "/_health": return page("text/plain; charset=utf-8", "ok\n", method)
        default: return page("text/plain; charset=utf-8", "there is nothing at this path\n", method, status: 404)
        }
    }

    private static func page(
        _ type: String, _ text: String, _ method: String, status: Int = 200
    ) -> (status: Int, headers: HTTPHeaders, body: ByteBuffer) {
        let headers: HTTPHeaders = [
            "Content-Type": type, "Content-Length": String(text.utf8.count), "Cache-Control": "no-store",
        ]
        return (status, headers, method == "HEAD" ? ByteBuffer() : ByteBuffer(string: text))
    }

    private static let greeting = """
        <!doctype html>
        <html lang="en">
        <head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Hello from your tunnel</title>
        <style>body{font:1.1em/1.5 system-ui,sans-serif;max-width:38em;margin:4em auto;padding:0 1em}</style></head>
        <body><h1>The tunnel works</h1>
        <p>This page comes from the connector itself. Point a rule at a service of your own to publish it here.</p>
        </body></html>

        """
}
