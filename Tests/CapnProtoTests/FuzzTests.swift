import Fuzzing
import NIOCore
import Testing

@testable import CapnProto

/// Whatever words come: an error or a message whose every pointer can be followed; no trap, no hang.
struct FuzzTests {
    @Test func `random words`() async throws {
        var failures = 0
        try await fuzz(rounds: 20_000, seed: 2026, parts: 2) { generator in
            // Small numbers make pointers that lead somewhere.
            let mask: UInt64 = Bool.random(using: &generator) ? .max : 0x0003_0003_0000_003f
            var words: [UInt64] = (0..<Int.random(in: 1...24, using: &generator)).map { _ in generator.next() & mask }
            words[0] = Word.structure(offset: 0, data: 1, pointers: 1)
            do { try readAll(message(segments: [words])) } catch is CapnProtoError { failures += 1 }
        }
        #expect(failures > 1000)
    }

    @Test func `golden bytes with changes`() async throws {
        var failures = 0
        await fuzz(rounds: 20_000, seed: 7, parts: 2) { generator in
            let golden = Golden.all.randomElement(using: &generator) ?? ByteBuffer()
            let bytes = ByteBuffer(bytes: generator.mutated(Array(golden.readableBytesView)))
            do { try readAll(bytes) } catch { failures += 1 }
        }
        #expect(failures > 1000)
    }
}
