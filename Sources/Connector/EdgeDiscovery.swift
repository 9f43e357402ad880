import ByteStream
import EdgeTransport
import Logging
import NIOCore
import NIOSSL
import NameResolver

/// Finds the addresses of the edge: those of `--edge`, or by SRV records (tunnel-protocol section 1.1). A value that keeps
/// nothing; each call looks anew.
struct EdgeDiscovery: Sendable {
    typealias Family = EdgeAddresses.Family

    /// SRV records that are looked at. Two make a complete edge; others stand in for those that lead nowhere.
    private static let mostRecords = 4
    private static let domain = "argotunnel.com"

    private let edges: [String]
    private let region: String?
    private let family: Family?
    private let usesProxy: Bool
    private let resolver: NameResolver
    private let overTLS: DNSOverTLS?
    private let logger: Logger

    /// - Parameters:
    ///   - resolver: the host's name service.
    ///   - overTLS: who is asked when that fails; nil for nobody.
    init(_ configuration: ConnectorConfiguration, resolver: NameResolver, overTLS: DNSOverTLS?, logger: Logger) {
        edges = configuration.edges
        region = configuration.region
        family = configuration.edgeBindAddress.flatMap { Family(.address($0)) } ?? configuration.edgeFamily
        usesProxy = configuration.edgeProxy != nil
        self.resolver = resolver
        self.overTLS = overTLS
        self.logger = logger
    }

    init(_ configuration: ConnectorConfiguration, group: any EventLoopGroup, logger: Logger) {
        // Not the edge's trust: this is a public name server.
        let tls = try? NIOSSLContext(configuration: .makeClientConfiguration())
        let server = try? SocketAddress(ipAddress: DNSOverTLS.serverAddress, port: 853)
        var overTLS: DNSOverTLS?
        if let tls, let server { overTLS = DNSOverTLS(server: server, tls: tls, group: group) }
        self.init(configuration, resolver: NameResolver(), overTLS: overTLS, logger: logger)
    }

    /// - Parameter isRepeated: the lookup before failed too; advice was given then.
    /// - Throws: `LinkError` when there is no address at all, `CancellationError`.
    func addresses(isRepeated: Bool) async throws -> EdgeAddresses {
        try await edges.isEmpty ? lookedUp(isRepeated) : named()
    }

    // MARK: By --edge

    private func named() async throws -> EdgeAddresses {
        let targets = try edges.map { edge in
            guard let target = HostAndPort(edge) else {
                throw LinkError(.edgeUnknown, "--edge takes host:port, IPv6 in brackets, not \"\(edge)\"")
            }
            return target
        }
        let literals = targets.compactMap { try? SocketAddress(ipAddress: $0.host, port: $0.port) }
        if usesProxy || literals.count == targets.count {
            let endpoints = targets.map { target in
                (try? SocketAddress(ipAddress: target.host, port: target.port)).map(EdgeEndpoint.address)
                    ?? .name(target.host, port: target.port)
            }
            return .fixed(endpoints.map { .init(endpoints: [$0]) }, isFinal: true)
        }
        let answers = try await resolved(targets.map { ($0.host, $0.port) }, by: [resolver.addresses])
        var found = EdgeAddresses(regions: [[], []], isStatic: true)
        for (index, answer) in answers.enumerated() {
            switch answer {
            // An address that was typed counts whatever its family.
            case .success(let all):
                let isLiteral = (try? SocketAddress(ipAddress: targets[index].host, port: 0)) != nil
                let usable = isLiteral ? all : all.filter(isWanted)
                if usable.isEmpty {
                    found.missing = "\(targets[index].host) has no \(familyText) address"
                } else {
                    found.regions[index % 2].append(
                        .init(endpoints: usable.map(EdgeEndpoint.address), source: edges[index]))
                }
            case .failure(let error): found.missing = error.message
            }
        }
        guard !found.isEmpty else {
            throw LinkError(.edgeUnknown, "no address of an edge is known (--edge): \(found.missing ?? "")")
        }
        return found
    }

    // MARK: By SRV records

    private var serviceName: String {
        (region.map { "_\($0)-v2-origintunneld" } ?? "_v2-origintunneld") + "._tcp.\(Self.domain)"
    }

    private func lookedUp(_ isRepeated: Bool) async throws -> EdgeAddresses {
        logger.debug(
            "edge discovery: looking up edge SRV record", metadata: ["event": "0", "domain": "\(serviceName)"])
        let records: [ServiceRecord]
        do {
            records = try await services()
        } catch let error as NameError {
            if !isRepeated { advise(error) }
            if let byName = byProxy(error) { return byName }
            throw LinkError(.edgeUnknown, "the edge cannot be found by DNS (name it with --edge): \(error)")
        }
        var random = SystemRandomNumberGenerator()
        let first = ServiceRecord.ordered(records, using: &random).prefix(Self.mostRecords)
        var sources: [Lookup] = [resolver.addresses]
        if let overTLS { sources.append(overTLS.addresses) }
        // With a dot at the end: a target is a whole name, never one in this host's search domains.
        let answers = try await resolved(first.map { ($0.target + ".", $0.port) }, by: sources)
        var found = EdgeAddresses(regions: [], isStatic: false)
        for (record, answer) in zip(first, answers) where found.regions.count < 2 {
            switch answer {
            case .success(let all):
                let usable = all.filter(isWanted)
                if usable.isEmpty {
                    found.missing = "a region of the edge has no \(familyText) address"
                } else {
                    found.regions.append(usable.map { .init(endpoints: [.address($0)], source: record.target) })
                }
            case .failure(let error): found.missing = error.message
            }
        }
        guard !found.regions.isEmpty else {
            throw LinkError(.edgeUnknown, "the edge cannot be found by DNS: \(found.missing ?? "")")
        }
        if found.regions.count == 2 { found.missing = nil } else { found.regions.append([]) }
        return found
    }

    /// By the host's name service, else over TLS.
    ///
    /// - Throws: the first of both errors.
    private func services() async throws -> [ServiceRecord] {
        do {
            return try await resolver.services(of: serviceName)
        } catch let error as NameError {
            guard let overTLS else { throw error }
            do {
                return try await overTLS.services(of: serviceName)
            } catch let second as NameError {
                logger.debug("edge discovery: DNS over TLS failed too", metadata: ["error": "\(second)"])
                throw error
            }
        }
    }

    /// A proxy may know the names of the edge's regions where this host does not.
    private func byProxy(_ error: NameError) -> EdgeAddresses? {
        guard usesProxy, region == nil else { return nil }
        let entries = [1, 2, 1, 2].map { region in
            EdgeAddresses.Entry(endpoints: [.name("region\(region).v2.\(Self.domain)", port: 7844)])
        }
        return .fixed(entries, missing: error.message)
    }

    /// The official client's line, by which people search, and what to do.
    private func advise(_ error: NameError) {
        let fields: Logger.Metadata = ["error": "\(error)", "event": "0"]
        logger.error("edge discovery: error looking up Cloudflare edge IPs: the DNS query failed", metadata: fields)
        for line in [
            "Please try the following things to find out why:",
            "  1. ask by hand: dig SRV \(serviceName)",
            "  2. see that /etc/resolv.conf names a name server that answers",
            "  3. see that nothing keeps DNS over TLS from \(DNSOverTLS.serverAddress):853, which was asked next",
            "  4. behind a proxy, name it with --edge-proxy",
            "  5. an edge of your own is named with --edge host:port",
            "The connector tries again until there is an answer.",
        ] { logger.error("\(line)", metadata: ["event": "0"]) }
    }

    // MARK: Addresses

    private typealias Lookup = @Sendable (_ host: String, _ port: Int) async throws -> [SocketAddress]

    /// The addresses of each target: by the first source that knows it.
    private func resolved(
        _ targets: [(host: String, port: Int)], by sources: [Lookup]
    ) async throws -> [Result<[SocketAddress], NameError>] {
        try await withThrowingTaskGroup(of: (Int, Result<[SocketAddress], NameError>).self) { tasks in
            for (index, target) in targets.enumerated() {
                tasks.addTask {
                    var answer = Result<[SocketAddress], NameError>.failure(
                        NameError(.unreachable, "nobody to ask for \(target.host)"))
                    for (place, source) in sources.enumerated() {
                        do {
                            return (index, .success(try await source(target.host, target.port)))
                        } catch let error as NameError {
                            if place == 0 { answer = .failure(error) }
                        }
                    }
                    return (index, answer)
                }
            }
            var answers: [Int: Result<[SocketAddress], NameError>] = [:]
            for try await (index, answer) in tasks { answers[index] = answer }
            return targets.indices.compactMap { answers[$0] }
        }
    }

    private func isWanted(_ address: SocketAddress) -> Bool {
        family == nil || Family(.address(address)) == family
    }

    private var familyText: String { family == .v4 ? "IPv4" : "IPv6" }
}
