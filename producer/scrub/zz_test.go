package scrub
import ("testing";"fmt";"os";"strings";"encoding/json")
func TestZZ(t *testing.T){
 b,_:=os.ReadFile("/tmp/sx/in.txt")
 s:=New(Scrubbed)
 for _,l:=range strings.Split(strings.TrimSpace(string(b)),"\n"){
  var a []string
  if err:=json.Unmarshal([]byte(l),&a);err!=nil{fmt.Println("BAD",l,err);continue}
  out:=s.Command("x",a)
  m:=" "
  if out==strings.Join(a," "){m="="}
  fmt.Println(m,out)
 }
}
