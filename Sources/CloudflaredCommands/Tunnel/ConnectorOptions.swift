import ArgumentParser
import ServiceHost

/// How a connector reaches its edge and reports on itself. Source: cli-and-config.md section 1.7, tables A, E and F.
struct ConnectorOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Address of the edge, host:port, instead of finding it by DNS. Repeat it for several.", valueName: "address"
        ))
    var edge: [String] = []

    @Option(
        name: .customLong("protocol"), help: "auto or http2; quic is not in this version.",
        completion: .list(["auto", "http2"]))
    var transport = "auto"

    @Flag(help: "Insist on the post-quantum key agreement with the edge.")
    var postQuantum = false

    @Option(help: "Region of the edge that is found by DNS (us).")
    var region: String?

    @Option(help: "Addresses of the edge that are used: 4, 6 or auto.", completion: .list(["4", "6", "auto"]))
    var edgeIPVersion = "auto"

    @Option(help: ArgumentHelp("Local address for connections to the edge.", valueName: "ip"))
    var edgeBindAddress: String?

    @Option(
        help: ArgumentHelp(
            "Proxy for connections to the edge: http://[user:password@]host:port or socks5://host:port. HTTPS_PROXY is not asked here.",
            valueName: "url"))
    var edgeProxy: String?

    @Option(help: "Number of connections to the edge.")
    var haConnections = 4

    @Option(help: "How often waiting times grow before a connection is given up.")
    var retries = 5

    @Option(help: .hidden)
    var maxEdgeAddrRetries = 8

    @Option(help: "Limit for one call to the edge (5s).")
    var rpcTimeout: DurationArgument?

    @Option(help: "How long streams may go on after SIGTERM (30s, at most 3m).")
    var gracePeriod: DurationArgument?

    @Option(help: .hidden)
    var writeStreamTimeout: DurationArgument?

    @Option(help: "Name of this connector in host details.")
    var label: String?

    @Option(help: "NAME=VALUE, sent to origins as header Cf-Warp-Tag-NAME. Repeat it for several.")
    var tag: [String] = []

    @Option(help: ArgumentHelp("Features to announce to the edge (-F).", visibility: .hidden))
    var features: [String] = []

    @Option(help: ArgumentHelp("Limit of private-network flows, 0 for none.", visibility: .hidden))
    var maxActiveFlows = 0

    @Option(
        help:
            "Where /metrics and /ready answer: host:port, unix:/path or off; else port 20241 to 20245 of localhost."
    )
    var metrics = "localhost:0"

    @Option(
        help:
            "When systemd is told that the connector has started: with the first connection, with most of them (quorum) or with the process.",
        completion: .list(["first", "quorum", "process"])
    )
    var readyPolicy = "first"

    @Option(
        help: ArgumentHelp(
            "Public address that leads through this tunnel and answers 2xx. It is asked again and again, by the "
                + "authorities of the system and of --cacert; while two in a row fail, /ready answers 503.",
            valueName: "url"))
    var readyCanary: String?

    @Option(help: "Time between two such questions (30s).")
    var readyCanaryInterval: DurationArgument?

    @Option(
        help: ArgumentHelp("File for the process number, written when the first connection stands.", valueName: "file"),
        completion: .file())
    var pidfile: String?
}
