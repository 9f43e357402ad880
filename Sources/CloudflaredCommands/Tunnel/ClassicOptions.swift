import ArgumentParser

/// Flags of the form that makes tunnel and route by itself: `tunnel --hostname H --url U`.
struct ClassicOptions: ParsableArguments {
    @Option(help: "Host name to serve: makes a tunnel for it and its route, or uses those that exist.")
    var hostname: String?

    @Option(help: "Name of that tunnel; otherwise the host name (-n).")
    var name: String?

    @Option(help: .hidden)
    var lbPool: String?

    @Flag(name: .customLong("overwrite-dns"), help: "Take the host name from the tunnel that has it (-f).")
    var overwriteDNS = false
}
