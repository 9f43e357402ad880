/// Which transport carries the links (tunnel-protocol sections 1.4 and 5.4): what was asked for, of what is built, and
/// HTTP/2 where QUIC does not come through. A value, one for all connections.
///
/// With one transport built there is nothing to fall back to: start-up takes `current`, and dials are not told here yet.
package struct ProtocolSelector: Sendable, Equatable {
    package enum Transport: String, Sendable, CaseIterable {
        case quic, http2
    }

    /// A transport that this version does not have.
    package struct Unavailable: Error, CustomStringConvertible {
        package var description: String { "QUIC is not in this version; use --protocol http2, or auto" }
    }

    /// What this version has.
    package static let built: Set<Transport> = [.http2]

    package private(set) var current: Transport
    private let fallback: Transport?
    /// Addresses that one connection may try before the transport is given up (`--max-edge-addr-retries`).
    private let addressRetries: Int
    private var failedAddresses: [UInt8: Int] = [:]
    private var everConnected = false

    /// - Parameter choice: nil for `auto`.
    package init(
        _ choice: Transport?, addressRetries: Int = 8, built: Set<Transport> = ProtocolSelector.built
    ) throws(Unavailable) {
        if let choice {
            guard built.contains(choice) else { throw Unavailable() }
            current = choice
            fallback = nil
        } else {
            current = built.contains(.quic) ? .quic : .http2
            fallback = current == .quic && built.contains(.http2) ? .http2 : nil
        }
        self.addressRetries = addressRetries
    }

    /// A connection could not be made.
    ///
    /// - Parameter looksBlocked: something on the way lets this transport through nowhere, so no other address helps.
    /// - Returns: the transport to go on with, when that is another now.
    package mutating func dialFailed(connection index: UInt8, looksBlocked: Bool) -> Transport? {
        failedAddresses[index, default: 0] += 1
        guard let fallback, current != fallback, !everConnected,
            looksBlocked || failedAddresses[index, default: 0] >= addressRetries
        else { return nil }
        failedAddresses = [:]
        current = fallback
        return fallback
    }

    /// A connection registered: the transport comes through here.
    package mutating func registered(connection index: UInt8) {
        everConnected = true
        failedAddresses[index] = nil
    }
}
