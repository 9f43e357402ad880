/// Where a bastion may connect to. Everything not listed is refused, and a list with no entry refuses to be built.
///
/// Used in two steps, so that a name is resolved once and the very address that was judged is dialled:
/// ```
/// guard list.permits(host: host, port: port) else { refuse }
/// addresses = list.needsResolution(host: host) ? resolve(host) : [host]
/// dial the first address with list.permits(address: address, port: port, host: host)
/// ```
/// Entries: `host`, `*.suffix`, `address`, `address/length`, each with an optional `:port` (IPv6 in brackets then).
/// A host entry stands for any address the name resolves to, except the *guarded* ones: loopback, link-local with the
/// cloud metadata addresses, multicast, unspecified, and what reaches those through IPv4-mapped, NAT64 or 6to4 forms.
/// A guarded address is reached only through an entry that names it or a block inside the guarded range; `0.0.0.0/0`
/// does not open it. The entry `localhost` also lists 127.0.0.1 and ::1.
package struct DestinationAllowList: Hashable, Sendable, CustomStringConvertible {
    private struct Entry: Hashable, Sendable {
        enum Target: Hashable, Sendable {
            case host(String)
            /// With its leading dot.
            case suffix(String)
            case block(IPPrefix)
        }
        var target: Target
        /// Nil: every port.
        var port: Int?

        func covers(port other: Int) -> Bool { port == nil || port == other }
    }

    /// As they were written.
    package let texts: [String]
    private var entries: [Entry] = []

    /// Refuses an empty list and any entry that cannot be read, naming it.
    package init(_ texts: [String]) throws(ConfigError) {
        self.texts = texts
        guard !texts.isEmpty else {
            throw ConfigError(
                "the bastion has an empty allow-list, so it could reach nothing",
                suggestion:
                    "list its destinations: --bastion-allow rdpserver:3389, or bastion: {allow: [\"rdpserver:3389\"]}")
        }
        guard texts.count <= 10_000 else { throw ConfigError("the allow-list has more than 10000 entries") }
        for text in texts {
            entries += try Self.entries(text)
        }
    }

    package var description: String { texts.joined(separator: ", ") }

    /// False for an address literal, which is its own resolution.
    package func needsResolution(host: String) -> Bool {
        IPAddress(host) == nil
    }

    /// First step, by what the client asked for. For an address literal this is the whole answer; for a name, true means
    /// that its addresses are worth resolving and judging.
    package func permits(host: String, port: Int) -> Bool {
        guard (1...65535).contains(port) else { return false }
        if IPAddress(host) != nil { return permits(address: host, port: port, host: host) }
        guard let name = JumpDestination.name(host) else { return false }
        return entries.contains { entry in
            guard entry.covers(port: port) else { return false }
            switch entry.target {
            case .host, .suffix: return Self.names(entry.target, name)
            case .block: return true
            }
        }
    }

    /// The whole answer for whoever does not resolve names: a name is permitted only where an entry lists it as a name.
    package func permitsUnresolved(_ destination: JumpDestination) -> Bool {
        guard let name = JumpDestination.name(destination.host) else {
            return permits(address: destination.host, port: destination.port, host: destination.host)
        }
        return entries.contains { $0.covers(port: destination.port) && Self.names($0.target, name) }
    }

    /// Second step, for each address that `host` resolved to. `address` without brackets; a zone id is refused.
    package func permits(address: String, port: Int, host: String) -> Bool {
        guard (1...65535).contains(port), let parsed = IPAddress(address) else { return false }
        let target = parsed.unmapped
        let guarded = GuardedRange.containing(target)
        let name = IPAddress(host) == nil ? JumpDestination.name(host) : nil
        return entries.contains { entry in
            guard entry.covers(port: port) else { return false }
            switch entry.target {
            case .host, .suffix:
                guard guarded == nil, let name else { return false }
                return Self.names(entry.target, name)
            case .block(let block):
                guard block.contains(target) else { return false }
                return guarded?.contains(block) ?? true
            }
        }
    }

    private static func names(_ target: Entry.Target, _ name: String) -> Bool {
        switch target {
        case .host(let host): host == name
        case .suffix(let suffix): name.utf8.count > suffix.utf8.count && name.hasSuffix(suffix)
        case .block: false
        }
    }

    private static func entries(_ text: String) throws(ConfigError) -> [Entry] {
        func invalid(_ why: String) -> ConfigError {
            ConfigError(
                "\(quoted(text)) in the allow-list \(why)",
                suggestion: "write host, host:port, 10.0.0.0/8, 10.0.0.0/8:3389 or [2001:db8::/32]:22")
        }
        let (target, port) = try split(text, invalid)
        if target.contains("/") {
            guard let block = IPPrefix(target) else { throw invalid("is not a block of addresses") }
            return [Entry(target: .block(block.unmapped), port: port)]
        }
        if let address = IPAddress(target) {
            return [Entry(target: .block(IPPrefix(single: address.unmapped)), port: port)]
        }
        if let rest = target.dropping(prefix: "*."), let name = JumpDestination.name(String(rest)) {
            return [Entry(target: .suffix("." + name), port: port)]
        }
        guard let name = JumpDestination.name(target) else { throw invalid("is not a host, address or block") }
        var result = [Entry(target: .host(name), port: port)]
        if name == "localhost" {
            result.append(Entry(target: .block(IPPrefix(single: IPAddress(v4: 0x7F00_0001))), port: port))
            result.append(Entry(target: .block(IPPrefix(single: IPAddress(v6: 1))), port: port))
        }
        return result
    }

    /// Takes the port off the end. An IPv6 address or block without brackets has no port.
    private static func split(
        _ text: String, _ invalid: (String) -> ConfigError
    ) throws(ConfigError) -> (target: String, port: Int?) {
        if IPAddress(text)?.isV6 ?? false { return (text, nil) }
        if IPPrefix(text)?.address.isV6 ?? false { return (text, nil) }
        var target = Substring(text)
        var portText: Substring?
        if target.first == "[" {
            guard let end = target.firstIndex(of: "]") else { throw invalid("lacks a closing ]") }
            let after = target[target.index(after: end)...]
            target = target[..<end].dropFirst()
            guard target.contains(":") else { throw invalid("has brackets around something that is not IPv6") }
            if !after.isEmpty {
                guard after.first == ":" else { throw invalid("has text after ]") }
                portText = after.dropFirst()
            }
        } else if let colon = target.lastIndex(of: ":") {
            portText = target[target.index(after: colon)...]
            target = target[..<colon]
        }
        guard let portText else { return (String(target), nil) }
        guard let port = PortText.parse(portText) else { throw invalid("has no valid port after the colon") }
        return (String(target), port)
    }
}

enum PortText {
    static func parse(_ text: some StringProtocol) -> Int? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
            let port = Int(text), (1...65535).contains(port)
        else { return nil }
        return port
    }
}

/// Addresses that no destination may reach by accident: they belong to the connector's own host, its link, or its cloud.
enum GuardedRange {
    private static let v4: [IPPrefix] = [
        block(v4: 0x0000_0000, 8),  // "this network"; Linux connects 0.0.0.0 to itself
        block(v4: 0x7F00_0000, 8),
        block(v4: 0xA9FE_0000, 16),
        block(v4: 0xE000_0000, 4),
        block(v4: 0xFFFF_FFFF, 32),
    ]

    private static let v6: [IPPrefix] = [
        block(v6: 0, 128),
        block(v6: 1, 128),
        block(v6: 0xFE80 << 112, 10),
        block(v6: 0xFF << 120, 8),
        block(v6: 0xFD00_0EC2 << 96 | 0x254, 128),
    ]

    /// IPv6 blocks that carry an IPv4 address, and the width in front of it: IPv4-compatible, IPv4-mapped,
    /// NAT64 (RFC 6052), local NAT64 (RFC 8215, at its /96), 6to4, translated (RFC 2765).
    private static let carriers: [(block: IPPrefix, width: Int)] = [
        (block(v6: 0, 96), 96), (block(v6: 0xFFFF << 32, 96), 96), (block(v6: 0x64_FF9B << 96, 96), 96),
        (block(v6: 0x64_FF9B_0001 << 80, 48), 96), (block(v6: 0x2002 << 112, 16), 16),
        (block(v6: 0xFFFF << 48, 96), 96),
    ]

    /// The guarded range that holds `address`, in the family of `address`. Nil for an ordinary address.
    static func containing(_ address: IPAddress) -> IPPrefix? {
        guard address.isV6 else { return v4.first { $0.contains(address) } }
        if let range = v6.first(where: { $0.contains(address) }) { return range }
        for (carrier, width) in carriers where carrier.contains(address) {
            let inner = IPAddress(v4: UInt32(truncatingIfNeeded: address.bits >> UInt128(96 - width)))
            if let range = v4.first(where: { $0.contains(inner) }) {
                return IPPrefix(address, length: width + range.length)
            }
        }
        return nil
    }

    private static func block(v4 bits: UInt32, _ length: Int) -> IPPrefix {
        IPPrefix(IPAddress(v4: bits), length: length) ?? IPPrefix(single: IPAddress(v4: bits))
    }

    private static func block(v6 bits: UInt128, _ length: Int) -> IPPrefix {
        IPPrefix(IPAddress(v6: bits), length: length) ?? IPPrefix(single: IPAddress(v6: bits))
    }
}
