import NIOCore

/// A link on a host whose network changed.
extension HTTP2Link {
    /// The host's network changed, or the host slept. A link whose own address is gone ends at once; any other must answer a
    /// PING. From any thread.
    ///
    /// - Parameter isSuspect: whether there is reason to doubt this link, which then gets less time.
    package func networkChanged(isSuspect: Bool) {
        let link = self
        eventLoop.execute {
            if let address = link.vanishedAddress() {
                let error = LinkError(.networkChanged, "this host has no longer the address \(address)")
                return link.linkGuard.value.fail(error)
            }
            link.linkGuard.value.probe(urgently: isSuspect)
        }
    }

    /// Our own address of this connection, when no interface has it any more.
    private func vanishedAddress() -> String? {
        guard let address = channel.localAddress?.ipAddress, !address.hasPrefix("127."),
            let devices = try? System.enumerateDevices()
        else { return nil }
        return devices.contains { $0.address?.ipAddress == address } ? nil : address
    }
}
