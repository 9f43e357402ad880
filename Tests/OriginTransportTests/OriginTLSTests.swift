import NIOCore
import NIOHTTP1
import OriginTransport
import TestKit
import Testing
import TunnelConfig

@Suite(.timeLimit(.minutes(1))) struct OriginTLSTests {
    let client = TestClient()

    private func origin(_ kind: TestCertificates.Kind) async throws -> TestOrigin {
        try await TestOrigin.http(tls: TestCertificates.shared.get().server(kind)) { _ in
            .response(.ok, [:], body: ByteBuffer(string: "secret"))
        }
    }

    private func trusting() throws -> OriginRequest {
        var options = OriginRequest()
        options.caPool = try TestCertificates.shared.get().authorityFile
        return options
    }

    @Test func `a certificate of caPool is trusted, and the connection is used again`() async throws {
        let origin = try await origin(.valid)
        for _ in 0..<2 {
            #expect(
                try await client.send(.get(), to: origin.https, options: trusting()).body
                    == ByteBuffer(string: "secret"))
        }
        #expect(origin.connections == 1)
        await origin.stop()
    }

    @Test func `an origin named by its address is checked by its address`() async throws {
        let origin = try await origin(.valid)
        var target = origin.https
        target.address = .tcp(host: "127.0.0.1", port: origin.port)
        #expect(try await client.send(.get(), to: target, options: trusting()).status == 200)
        await origin.stop()
    }

    @Test func `a certificate for the address is none for the name`() async throws {
        let origin = try await origin(.valid)
        var options = try trusting()
        // The certificate names 127.0.0.1, where the connection leads, and not this.
        options.originServerName = "elsewhere.test"
        let error = await failure { _ = try await client.send(.get(), to: origin.https, options: options) }
        #expect(error?.code == .certificateRefused)
        #expect(error?.message.contains("--origin-server-name") ?? false)
        await origin.stop()
    }

    @Test func `sixteen megabytes pass both ways over TLS`() async throws {
        let origin = try await TestOrigin.http(tls: TestCertificates.shared.get().server()) { request in
            .response(.ok, [:], body: request.body)
        }
        let body = ByteBuffer.pattern(16 << 20)
        let answer = try await client.send(.post(), to: origin.https, options: trusting(), body: body)
        #expect(answer.body == body)
        await origin.stop()
    }

    @Test(arguments: [
        (TestCertificates.Kind.valid, false, "caPool"), (.expired, true, "has expired"),
        (.otherName, true, "originServerName"),
    ])
    func `a certificate that is not good is refused with what to set`(
        kind: TestCertificates.Kind, trusted: Bool, hint: String
    ) async throws {
        let origin = try await origin(kind)
        let options = trusted ? try trusting() : OriginRequest()
        let error = await failure { _ = try await client.send(.get(), to: origin.https, options: options) }
        #expect(error?.code == .certificateRefused)
        #expect(error?.message.contains(hint) ?? false)
        #expect(error?.message.contains("localhost:\(origin.port)") ?? false)
        await origin.stop()
    }

    @Test(arguments: TestCertificates.Kind.allCases) func `noTLSVerify accepts any certificate`(
        kind: TestCertificates.Kind
    ) async throws {
        let origin = try await origin(kind)
        var options = OriginRequest()
        options.noTLSVerify = true
        #expect(try await client.send(.get(), to: origin.https, options: options).status == 200)
        await origin.stop()
    }

    @Test func `originServerName and matchSNItoHost say which name is checked`() async throws {
        let origin = try await origin(.otherName)
        var options = try trusting()
        options.originServerName = "other.test"
        #expect(try await client.send(.get(), to: origin.https, options: options).status == 200)
        options.originServerName = nil
        options.matchSNItoHost = true
        var request = HTTPRequest.get()
        request.authority = "other.test:443"
        #expect(try await client.send(request, to: origin.https, options: options).status == 200)
        await origin.stop()
    }

    @Test func `https to a port without TLS says so`() async throws {
        let origin = try await TestOrigin.raw { bytes, channel in
            guard bytes.readableBytes > 0 else { return }
            channel.writeAndFlush(
                ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), promise: nil)
        }
        let error = await failure { _ = try await client.send(.get(), to: origin.https) }
        #expect(error?.code == .notTLS)
        #expect(error?.message.contains("http:// instead of https://") ?? false)
        await origin.stop()
    }

    @Test func `http to a port with TLS says so`() async throws {
        let origin = try await origin(.valid)
        let error = await failure { _ = try await client.send(.get(), to: origin.http) }
        #expect(error?.code == .closedEarly || error?.code == .badResponse)
        await origin.stop()
    }

    @Test func `a server that never shakes hands is given up after tlsTimeout`() async throws {
        let origin = try await TestOrigin.start { _ in }
        var options = OriginRequest()
        options.tlsTimeout = .milliseconds(100)
        let error = await failure { _ = try await client.send(.get(), to: origin.https, options: options) }
        #expect(error?.code == .timedOut)
        #expect(error?.message.contains("tlsTimeout") ?? false)
        await origin.stop()
    }

    @Test func `a caPool that cannot be read is named`() async throws {
        let origin = try await origin(.valid)
        var options = OriginRequest()
        options.caPool = "/nonexistent/ca.pem"
        let error = await failure { _ = try await client.send(.get(), to: origin.https, options: options) }
        #expect(error?.message.contains("/nonexistent/ca.pem") ?? false)
        await origin.stop()
    }
}
