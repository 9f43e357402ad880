import AccessPolicy
package import ArgumentParser
import ControlAPI
import Edge
import EdgeStore
import Foundation
import Logging
import ServiceHost
import TunnelConfig

/// `cloudflared-edge demo`: an edge that is thrown away afterwards, with a tunnel, two open hostnames and a sample page.
package struct DemoCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run an edge to try things out: everything is made anew, and removed at the end.")

    @Option(name: .customLong("tunnel-listen"), help: "Where connectors connect to; port 0 takes a free one.")
    var tunnelListen = "127.0.0.1:0"

    @Option(name: .customLong("https-listen"), help: "Where visitors and clients connect to; port 0 takes a free one.")
    var httpsListen = "127.0.0.1:0"

    @Option(help: "Format of the log: default or json.")
    var output: LoggingSetup.ConsoleOutput = .default

    @Option(name: .customLong("loglevel"), help: "debug, info, warn or error.")
    var logLevel = "info"

    package init() {}

    package func run() async throws {
        let logger = LoggingSetup(level: logLevel, output: output)
            .makeLogger(console: .standardError, environment: ProcessInfo.processInfo.environment)
        let path = FileManager.default.temporaryDirectory
            .appending(path: "cloudflared-edge-demo-\(DataDirectory.randomHex(bytes: 6))").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let directory = try await DataDirectory.initialize(at: path, plan: DataDirectory.Plan(zone: Self.zone))
        let page = try await SamplePage.start(
            text: "Hello from behind the tunnel.\n", on: "127.0.0.1")
        defer { page.stop() }
        let demo = try await Self.prepare(directory, pagePort: page.port)
        try await EdgeRun(
            directory: directory, tunnelListen: tunnelListen, httpsListen: httpsListen, logger: logger,
            onListening: { listening in
                try StandardOutput.write(line: demo.instructions(listening))
            }
        ).run()
    }

    static let zone = "demo.localhost"

    /// Makes the tunnel, its routes and its applications, and the files that a connector needs.
    static func prepare(_ directory: DataDirectory, pagePort: Int) async throws -> Demo {
        let store = try await directory.openStore()
        let account = try await store.account()
        let tunnel = TunnelRecord(
            id: UUID(), name: "demo", accountTag: account.id, secret: .generate(), createdAt: Date())
        try await store.createTunnel(tunnel)
        let hosts = [Demo.desktopHost, Demo.pageHost]
        for host in hosts {
            _ = try await store.setRoute(host, to: tunnel.id, overwrite: false, at: Date())
            let application = AccessApplication.open(try account.applicationHostname(host))
            try await store.changeAccess([.put(AccessDocument(application))], expecting: nil)
        }
        try store.close()
        let demo = Demo(directory: directory.path, authority: directory.path(of: .authority))
        try write(tunnel.credentials.json, to: demo.credentialsFile)
        try write(demo.connectorConfiguration(tunnelID: tunnel.id, pagePort: pagePort), to: demo.configurationFile)
        return demo
    }

    private static func write(_ text: String, to path: String) throws {
        guard
            FileManager.default.createFile(
                atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        else { throw StoreError(.configuration, "\(path) cannot be written; is the disk full?") }
    }
}

/// What a demo edge has, and how to use it.
struct Demo: Sendable {
    static let desktopHost = "rdp.\(DemoCommand.zone)"
    static let pageHost = "www.\(DemoCommand.zone)"

    let directory: String
    let authority: String

    var credentialsFile: String { directory + "/connector.json" }
    var configurationFile: String { directory + "/connector.yml" }

    func connectorConfiguration(tunnelID: UUID, pagePort: Int) -> String {
        """
        tunnel: \(tunnelID.uuidString.lowercased())
        credentials-file: \(credentialsFile)
        ingress:
          - hostname: \(Self.desktopHost)
            service: rdp://localhost:3389
          - hostname: \(Self.pageHost)
            service: http://127.0.0.1:\(pagePort)
          - service: http_status:404

        """
    }

    /// The commands to type, each in a terminal of its own.
    func instructions(_ listening: EdgeServer.Listening) -> String {
        let port = listening.https.split(separator: ":").last ?? "443"
        return """
            A demo edge runs. Nothing of it stays when it stops (Ctrl-C). In other terminals:

            1. The connector, next to the services (a desktop on port 3389, and a sample page):
               cloudflared tunnel --config \(configurationFile) --edge \(listening.tunnel) --cacert \(authority) \
            --protocol http2 --no-autoupdate --no-prechecks run

            2. The sample page:
               curl --cacert \(authority) https://\(Self.pageHost):\(port)/

            3. The remote desktop, then open localhost:2244 in a remote desktop program:
               SSL_CERT_FILE=\(authority) cloudflared access rdp --hostname \(Self.desktopHost):\(port) \
            --url localhost:2244

            """
    }
}
