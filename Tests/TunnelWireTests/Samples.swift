import FoundationEssentials
import NIOCore

@testable import CapnProto
@testable import TunnelWire

/// The values and bytes of tunnel-protocol section 3.6, made with the Go library, and of 4.3.
enum Sample {
    static let clientID = UUID(
        uuid: (0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff))

    static let registration = RegisterConnection(
        auth: TunnelAuth(accountTag: "acct0123", tunnelSecret: TunnelSecret(Array(repeating: 0x41, count: 32))),
        tunnelID: UUID(
            uuid: (0x99, 0x99, 0x99, 0x99, 0x88, 0x88, 0x77, 0x77, 0x66, 0x66, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55)),
        connectionIndex: 2,
        options: ConnectionOptions(
            client: ClientInfo(
                clientID: clientID, features: ["serialized_headers", "support_quic_eof"], version: "2026.8.2",
                arch: "linux_amd64"),
            originLocalIP: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1], numPreviousAttempts: 3))

    static let details = ConnectionDetails(
        uuid: UUID(
            uuid: (0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55)),
        locationName: "tst01",
        tunnelIsRemotelyManaged: true)

    static let refusal = ConnectionError(cause: "edge busy", retryAfter: .seconds(2), shouldRetry: true)

    static let connectRequest = ConnectRequest(
        destination: "127.0.0.1:19001", kind: .tcp, metadata: [Metadata(key: "FlowID", value: "flow1")])
}

enum Golden {
    static let bootstrap = bytes(
        "0000000005000000 0000000001000100 0800000000000000 0000000001000100 0000000000000000 0000000000000000")

    static let registerCall = bytes(
        """
        0000 00000000 36000000   1 segment, 54 words
        0008 00000000 01000100   Message
        0010 02000000 00000000   tag 2 = call
        0018 00000000 03000300   -> Call 3,3
        0020 01000000 00000000   questionId 1, methodId 0, sendResultsTo caller
        0028 9754e87f ec9516f7   interfaceId 0xf71695ec7fe85497
        0030 00000000 00000000
        0038 08000000 01000100   p0 target -> 0050
        0040 18000000 00000200   p1 params -> 0078
        0048 00000000 00000000   p2
        0050 00000000 01000000   MessageTarget tag 1 = promisedAnswer
        0058 00000000 01000100   -> PromisedAnswer
        0060 00000000 00000000   questionId 0
        0068 01000000 07000000   transform: composite, 0 words
        0070 00000000 01000000   composite tag: 0 elements of 1,0
        0078 04000000 01000300   Payload.content -> 0088 (1,3)
        0080 95000000 07000000   Payload.capTable -> 01b0, 0 words
        0088 02000000 00000000   connIndex 2
        0090 08000000 00000200   p0 auth -> 00a8
        0098 25000000 82000000   p1 tunnelId -> 00e8, 16 bytes
        00a0 28000000 01000200   p2 options -> 00f8
        00a8 05000000 4a000000   accountTag -> 00b8, 9 bytes incl. NUL
        00b0 09000000 02010000   tunnelSecret -> 00c8, 32 bytes
        00b8 61636374 30313233   "acct0123"
        00c0 00000000 00000000   NUL + padding
        00c8 41414141 41414141   secret (00c8..00e7)
        00d0 41414141 41414141
        00d8 41414141 41414141
        00e0 41414141 41414141
        00e8 99999999 88887777   tunnel id
        00f0 66665555 55555555
        00f8 00000300 00000000   replaceExisting 0, compressionQuality 0, numPreviousAttempts 3
        0100 04000000 00000400   p0 client -> 0110 (0,4)
        0108 49000000 82000000   p1 originLocalIp -> 01a0, 16 bytes
        0110 0d000000 82000000   clientId -> 0130
        0118 11000000 16000000   features -> 0140, 2 pointers
        0120 2d000000 4a000000   version -> 0180, 9 bytes
        0128 31000000 62000000   arch -> 0190, 12 bytes
        0130 00112233 44556677
        0138 8899aabb ccddeeff
        0140 05000000 9a000000   features[0] -> 0150, 19 bytes
        0148 0d000000 8a000000   features[1] -> 0168, 17 bytes
        0150 73657269 616c697a   "serialized_headers"
        0158 65645f68 65616465
        0160 72730000 00000000
        0168 73757070 6f72745f   "support_quic_eof"
        0170 71756963 5f656f66
        0178 00000000 00000000
        0180 32303236 2e382e32   "2026.8.2"
        0188 00000000 00000000
        0190 6c696e75 785f616d   "linux_amd64"
        0198 64363400 00000000
        01a0 00000000 00000000   ::ffff:127.0.0.1
        01a8 0000ffff 7f000001
        01b0 00000000 01000100   capTable tag: 0 elements of 1,1
        """)

    static let bootstrapReturn = bytes(
        """
        000000000b000000 0000000001000100 0300000000000000 0000000002000100 0000000001000000 0000000000000000
        0000000000000200 0300000000000000 0100000017000000 0400000001000100 0100000000000000 0000000000000000
        """)

    static let registerReturn = bytes(
        """
        0000 00000000 12000000
        0008 00000000 01000100
        0010 03000000 00000000
        0018 00000000 02000100
        0020 01000000 01000000   answerId 1
        0028 00000000 00000000
        0030 00000000 00000200
        0038 04000000 00000100   content -> 0048 (0,1)
        0040 25000000 07000000   capTable -> 0090, 0 words
        0048 00000000 01000100   result -> ConnectionResponse (1,1)
        0050 01000000 00000000   tag 1 = connectionDetails
        0058 00000000 01000200   -> ConnectionDetails (1,2)
        0060 01000000 00000000   tunnelIsRemotelyManaged true
        0068 05000000 82000000   uuid -> 0078, 16 bytes
        0070 09000000 32000000   locationName -> 0088, 6 bytes
        0078 11111111 22223333
        0080 44445555 55555555
        0088 74737430 31000000   "tst01"
        0090 00000000 01000100
        """)

    static let refusalReturn = bytes(
        """
        0000 00000000 11000000
        0008 00000000 01000100
        0010 03000000 00000000
        0018 00000000 02000100
        0020 01000000 01000000
        0028 00000000 00000000
        0030 00000000 00000200
        0038 04000000 00000100
        0040 21000000 07000000
        0048 00000000 01000100
        0050 00000000 00000000   tag 0 = error
        0058 00000000 02000100   -> ConnectionError (2,1)
        0060 00943577 00000000   retryAfter 2000000000 ns
        0068 01000000 00000000   shouldRetry
        0070 01000000 52000000   cause, 10 bytes
        0078 65646765 20627573   "edge busy"
        0080 79000000 00000000
        0088 00000000 01000100
        """)

    /// Of question 1, capabilities of the results kept.
    static let finish = bytes("0000000004000000 0000000001000100 0400000000000000 0000000001000000 0100000001000000")

    /// Of question 0, capabilities of the results kept.
    static let finishBootstrap = bytes(
        "0000000004000000 0000000001000100 0400000000000000 0000000001000000 0000000001000000")

    /// On the imported capability 0, as question 1.
    static let unregisterCall = bytes(
        """
        000000000e000000 0000000001000100 0200000000000000 0000000003000300 0100000001000000 9754e87fec9516f7
        0000000000000000 0800000001000100 0c00000000000200 0000000000000000 0000000000000000 0000000000000000
        fcffffff00000000 0100000007000000 0000000001000100
        """)

    /// Of question 1.
    static let voidReturn = bytes(
        """
        0000000009000000 0000000001000100 0300000000000000 0000000002000100 0100000001000000
        0000000000000000 0000000000000200 fcffffff00000000 0100000007000000 0000000001000100
        """)

    static let goodbye = bytes(
        """
        0000000007000000 0000000001000100 0100000000000000 0000000001000100
        0000000000000000 0100000072000000 7270633a20736875 74646f776e000000
        """)

    static let connectRequest = bytes(
        """
        00000000 0b000000
        00000000 01000200   ConnectRequest 1,2
        02000000 00000000   type 2
        05000000 82000000   dest, 16 bytes
        09000000 17000000   metadata: composite, 2 words
        3132372e 302e302e   "127.0.0.1:19001"
        313a3139 30303100
        04000000 00000200   1 element of 0,2
        05000000 3a000000   key, 7 bytes
        05000000 32000000   val, 6 bytes
        466c6f77 49440000   "FlowID"
        666c6f77 31000000   "flow1"
        """)

    static let connectResponse = bytes(
        "0000000004000000 0000000000000200 0000000000000000 0100000007000000 0000000000000200")
}

/// A message other than those the machines make themselves.
func rpc(_ message: RPCMessage<RPCContent>) -> ByteBuffer {
    (try? message.encodeMessage()) ?? ByteBuffer()
}

func exceptionReturn(_ answerID: UInt32, _ reason: String, kind: RPCException.Kind = .failed) -> ByteBuffer {
    rpc(.return(RPCReturn(answerID: answerID, outcome: .exception(RPCException(reason, kind: kind)))))
}

func finish(_ questionID: UInt32, releasing: Bool) -> ByteBuffer {
    rpc(.finish(RPCFinish(questionID: questionID, releasesResultCapabilities: releasing)))
}

func call(
    _ questionID: UInt32, _ methodID: UInt16, on target: RPCTarget = .importedCapability(0),
    _ parameters: any StructEncodable = EmptyStruct(), interfaceID: UInt64 = TunnelInterface.registrationServer
) -> ByteBuffer {
    rpc(
        .call(
            RPCCall(
                questionID: questionID, target: target, interfaceID: interfaceID, methodID: methodID,
                parameters: RPCPayload(.structure(parameters)))))
}

func abort(_ reason: String) -> ByteBuffer {
    rpc(.abort(RPCException(reason)))
}
