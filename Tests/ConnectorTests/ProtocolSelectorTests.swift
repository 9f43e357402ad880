import Testing

@testable import Connector

struct ProtocolSelectorTests {
    private let both = Set(ProtocolSelector.Transport.allCases)

    @Test func `auto is the best of what is built, and what is not built is refused when asked for`() throws {
        #expect(try ProtocolSelector(nil, built: both).current == .quic)
        #expect(try ProtocolSelector(nil, built: [.http2]).current == .http2)
        #expect(try ProtocolSelector(.http2, built: both).current == .http2)
        #expect(throws: ProtocolSelector.Unavailable.self) { try ProtocolSelector(.quic, built: [.http2]) }
    }

    @Test func `QUIC is left when a connection has tried its addresses`() throws {
        var selector = try ProtocolSelector(nil, addressRetries: 2, built: both)
        #expect(selector.dialFailed(connection: 0, looksBlocked: false) == nil)
        #expect(selector.dialFailed(connection: 1, looksBlocked: false) == nil)
        #expect(selector.dialFailed(connection: 0, looksBlocked: false) == .http2)
        #expect(selector.current == .http2)
        // There is nothing behind it.
        #expect(selector.dialFailed(connection: 0, looksBlocked: true) == nil)
    }

    @Test func `QUIC is left at once where it looks blocked`() throws {
        var selector = try ProtocolSelector(nil, built: both)
        #expect(selector.dialFailed(connection: 3, looksBlocked: true) == .http2)
    }

    @Test func `a transport that has come through once is kept, and so is one that was asked for`() throws {
        var selector = try ProtocolSelector(nil, addressRetries: 1, built: both)
        selector.registered(connection: 0)
        #expect(selector.dialFailed(connection: 0, looksBlocked: true) == nil)
        var chosen = try ProtocolSelector(.quic, addressRetries: 1, built: both)
        #expect(chosen.dialFailed(connection: 0, looksBlocked: true) == nil)
        #expect(chosen.current == .quic)
    }
}
