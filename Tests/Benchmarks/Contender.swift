import Foundation

/// A way from a local port to the origin, with the processes it consists of.
struct Contender {
    var name: String
    var port: Int
    var processes: [WatchedProcess]
    /// The process next to the origin, whose memory is looked at.
    var connector: WatchedProcess?
    /// Seconds from the connector's start until it was ready.
    var startUp: Double?
}

extension Contender {
    static func plain(_ origin: Origin) -> Contender {
        Contender(name: "loopback TCP", port: origin.port, processes: [])
    }

    /// Two stunnel4 processes: TLS around the stream, nothing else.
    static func tlsRelay(_ origin: Origin, _ launched: Launched) throws -> Contender {
        let directory = launched.directory
        let certificate = directory.appendingPathComponent("relay.pem").path
        try launched.run([
            "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=relay", "-keyout", certificate + ".key", "-out", certificate,
        ])
        let (outer, inner) = (try Launched.freePort(), try Launched.freePort())
        func configuration(_ name: String, _ text: String) throws -> String {
            let file = directory.appendingPathComponent(name).path
            let head = "foreground = yes\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\ndebug = 3\n"
            try (head + text).write(toFile: file, atomically: true, encoding: .utf8)
            return file
        }
        let server = try configuration(
            "server.conf",
            "[far]\naccept = 127.0.0.1:\(inner)\nconnect = 127.0.0.1:\(origin.port)\ncert = \(certificate)\nkey = \(certificate).key\n"
        )
        let client = try configuration(
            "client.conf", "[near]\nclient = yes\naccept = 127.0.0.1:\(outer)\nconnect = 127.0.0.1:\(inner)\n")
        let far = try launched.start("relay far", ["/usr/bin/stunnel4", server])
        let near = try launched.start("relay near", ["/usr/bin/stunnel4", client])
        try Launched.wait("stunnel4") { Launched.isListening(outer) && Launched.isListening(inner) }
        return Contender(name: "TLS relay (stunnel4 pair)", port: outer, processes: [far, near], connector: far)
    }
}

/// Our edge with a tunnel to the origin, and the connectors and clients put to it.
struct EdgeSetup {
    var binaries: String
    var dataDirectory: String
    var tunnelAddress: String
    var httpsPort: Int
    var edge: WatchedProcess
    let launched: Launched

    init(binaries: String, launched: Launched) throws {
        self.binaries = binaries
        self.launched = launched
        let data = launched.directory.appendingPathComponent("edge").path
        dataDirectory = data
        let program = binaries + "/cloudflared-edge"
        try launched.run([program, "init", "--data-dir", data, "--zone", "demo.localhost"])
        edge = try launched.start(
            "edge",
            [program, "run", "--data-dir", data, "--tunnel-listen", "127.0.0.1:0", "--https-listen", "127.0.0.1:0"])
        let listening = data + "/listening.json"
        var ports: [String: String]?
        try Launched.wait("the edge") {
            ports = (try? Data(contentsOf: URL(fileURLWithPath: listening)))
                .flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: String] }
            return ports != nil
        }
        guard let tunnel = ports?["tunnel"], let https = ports?["https"],
            let port = https.split(separator: ":").last.flatMap({ Int($0) })
        else { throw BenchmarkError("listening.json is incomplete") }
        tunnelAddress = tunnel
        httpsPort = port
    }

    /// A tunnel with one open host; returns its token.
    private func tunnel(_ name: String, host: String) throws -> String {
        let program = binaries + "/cloudflared-edge"
        func edge(_ words: String...) throws -> String {
            try launched.run([program] + words + ["--data-dir", dataDirectory, "--output", "json"])
        }
        let created = try edge("tunnel", "create", name)
        _ = try edge("route", "add", host, name)
        _ = try edge("access", "app", "add", host, "--open")
        guard let object = try JSONSerialization.jsonObject(with: Data(created.utf8)) as? [String: Any],
            let token = object["token"] as? String
        else { throw BenchmarkError("no token in what tunnel create printed") }
        return token
    }

    /// A connector and a client of the given program, over `links` links and a tunnel of their own.
    func chain(_ name: String, program: String, label: String, origin: Origin, links: Int = 4) throws -> Contender {
        let host = "\(label).demo.localhost"
        let token = try tunnel(label, host: host)
        let config = launched.directory.appendingPathComponent("config-\(UUID()).yml").path
        let rules =
            "ingress:\n  - hostname: \(host)\n    service: tcp://127.0.0.1:\(origin.port)\n  - service: http_status:404\n"
        try rules.write(toFile: config, atomically: true, encoding: .utf8)
        let metrics = try Launched.freePort()
        let start = ContinuousClock.now
        let running = try launched.start(
            "connector",
            [program, "tunnel", "--config", config] + (0..<links).flatMap { _ in ["--edge", tunnelAddress] }
                + [
                    "--cacert", dataDirectory + "/ca.pem", "--protocol", "http2", "--no-autoupdate", "--no-prechecks",
                    "--metrics", "127.0.0.1:\(metrics)", "run", "--token", token,
                ])
        try Launched.wait("\(name): connector") { Self.isReady(metrics) }
        let startUp = (ContinuousClock.now - start).seconds
        let port = try Launched.freePort()
        // The official client takes names under .localhost to the resolver, so both are told where to connect.
        let access = try launched.start(
            "client",
            [
                program, "access", "tcp", "--hostname", "\(host):\(httpsPort)", "--url", "127.0.0.1:\(port)",
                "--connect-to", "\(host):\(httpsPort):127.0.0.1",
            ],
            environment: ["SSL_CERT_FILE": dataDirectory + "/ca.pem"])
        try Launched.wait("\(name): client") { Launched.isListening(port) }
        return Contender(
            name: name, port: port, processes: [edge, running, access], connector: running, startUp: startUp)
    }

    private static func isReady(_ port: Int) -> Bool {
        guard let socket = try? Socket.connect(port: port) else { return false }
        defer { socket.close() }
        var request = Array("GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard (try? request.withUnsafeBytes { try socket.send($0) }) != nil else { return false }
        request = Array(repeating: 0, count: 12)
        guard (try? request.withUnsafeMutableBytes { try socket.receiveAll($0) }) != nil else { return false }
        return request.starts(with: Array("HTTP/1.1 200".utf8))
    }
}
