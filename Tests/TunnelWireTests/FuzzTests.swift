import CapnProto
import Fuzzing
import NIOCore
import Testing

@testable import TunnelWire

/// Whatever comes over a link: a message, an error or the end of the session; no trap, no hang.
struct FuzzTests {
    @Test func `messages with changes`() async {
        var failures = 0
        let goldens = [Golden.registerCall, Golden.registerReturn, Golden.refusalReturn, Golden.connectRequest]
        await fuzz(rounds: 20_000, seed: 42, parts: 4) { generator in
            var bytes = goldens.randomElement(using: &generator) ?? ByteBuffer()
            for _ in 0...Int.random(in: 0...3, using: &generator) {
                // The header is left alone: what it may do is CapnProtoTests' matter.
                let place = Int.random(in: 8..<bytes.readableBytes, using: &generator)
                bytes.setInteger(UInt8.random(in: 0...255, using: &generator), at: place)
            }
            do { try readAll(bytes) } catch { failures += 1 }
        }
        #expect(failures > 1000)
    }

    @Test func `random words`() async {
        await fuzz(rounds: 20_000, seed: 43, parts: 4) { generator in
            var bytes = ByteBuffer()
            let count = UInt32.random(in: 1...30, using: &generator)
            bytes.writeMultipleIntegers(UInt32(0), count, UInt64(0x0004_0002_0000_0000), endianness: .little)
            for _ in 1..<count {
                bytes.writeInteger(generator.next() & 0x0003_0077_0000_007f, endianness: .little)
            }
            try? readAll(bytes)
        }
    }

    @Test func `header blobs`() async throws {
        let blob = "Q29udGVudC1UeXBl:dGV4dC9wbGFpbg;U2V0LUNvb2tpZQ:YT0x;U2V0LUNvb2tpZQ:Yj0y"
        var failures = 0
        try await fuzz(rounds: 5000, seed: 5, parts: 4) { generator in
            guard let fields = try? ResponseHeaderBlob.decode(generator.mutated(blob)) else {
                failures += 1
                return
            }
            // What was understood means the same when it is said again.
            let again = try ResponseHeaderBlob.decode(ResponseHeaderBlob.encode(fields))
            #expect(again.elementsEqual(fields) { $0 == $1 })
        }
        #expect(failures > 1000)
    }

    @Test func `a control stream with changes, at both ends`() async {
        var stream = Golden.bootstrap
        for part in [Golden.registerCall, Golden.finishBootstrap, Golden.finish, Golden.unregisterCall, Golden.goodbye]
        {
            stream.writeImmutableBuffer(part)
        }
        var ended = 0
        await fuzz(rounds: 5000, seed: 11, parts: 4) { generator in
            let bytes = ByteBuffer(bytes: generator.mutated(Array(stream.readableBytesView)))
            var server = RegistrationServer.StateMachine()
            var client = RegistrationClient.StateMachine()
            _ = client.registerRequested(Sample.registration)
            _ = client.received(bytes)
            if case .closed(_, failed: true) = server.received(bytes).last { ended += 1 }
        }
        #expect(ended > 1000)
    }
}
