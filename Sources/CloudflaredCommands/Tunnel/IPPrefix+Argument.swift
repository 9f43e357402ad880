import TunnelConfig

extension IPPrefix {
    /// A private network as commands take it.
    ///
    /// - Throws: ``CommandError`` (usage) for what is no `address/length`.
    init(argument text: String) throws(CommandError) {
        guard let network = IPPrefix(text) else {
            throw CommandError(.usage, "\"\(text)\" is no network; give one such as 10.0.0.0/8 or fd00::/8")
        }
        self = network
    }
}
