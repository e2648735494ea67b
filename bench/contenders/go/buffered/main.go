// The line echo with what a Go programmer does about its system calls: replies are buffered, and leave in one write when
// nothing more of what was received is left.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "{\"message\":\"listening\",\"address\":\"%s\"}\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go handle(conn)
	}
}

func handle(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 64*1024)
	writer := bufio.NewWriterSize(conn, 64*1024)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			writer.Flush()
			return
		}
		writer.WriteString(answer(line[:len(line)-1]))
		writer.WriteByte('\n')
		if reader.Buffered() == 0 && writer.Flush() != nil {
			return
		}
	}
}

func answer(line string) string {
	return "echo: " + line
}
