import TunnelConfig

/// A private network as commands take it: its address masked, IPv4 or IPv6.
struct PrivateNetwork: Equatable, CustomStringConvertible {
    let address: IPAddress
    let length: Int

    /// - Throws: ``CommandError`` (usage) for what is no `address/length`.
    init(_ text: String) throws(CommandError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]),
            parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]),
            length <= (address.isV6 ? 128 : 32)
        else { throw CommandError(.usage, "\"\(text)\" is no network; give one such as 10.0.0.0/8 or fd00::/8") }
        let hostBits = UInt128((address.isV6 ? 128 : 32) - length)
        // A shift by the whole width gives zero.
        let bits = (address.bits >> hostBits) << hostBits
        self.address = address.isV6 ? IPAddress(v6: bits) : IPAddress(v4: UInt32(truncatingIfNeeded: bits))
        self.length = length
    }

    var description: String { "\(address)/\(length)" }
}
